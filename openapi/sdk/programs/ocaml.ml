(* The address is a constant of the generated code, which the step before the compilation replaces by LOSSD_URL. *)
open Openapi

let tensor shape data = { (Tensor.create shape) with Tensor.data }

let loss target =
  let input = tensor [ 1L; 3L ] [ 2.; 1.; 0. ] in
  let request = Cross_entropy_request.create input (tensor [ 1L ] [ target ]) `Null in
  let result = Lwt_main.run (Lossd_api.cross_entropy ~cross_entropy_request_t:request) in
  match result.Cross_entropy_result.loss with
  | Some loss -> string_of_float loss
  | None -> "null"

let () =
  print_endline ("loss " ^ loss 0.);
  print_endline ("nan " ^ loss (-100.))
