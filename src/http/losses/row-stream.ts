/** Streams safetensors bodies of any size: computes rows as they arrive, and sends the response meanwhile. */
import type { OutgoingHttpHeaders } from "node:http";
import type { FastifyReply } from "fastify";
import type { LossResult } from "../../loss/loss-result.ts";
import type { Plan, Run } from "../../loss/plan.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import { checkElementCount } from "../../wire/json/tensors.ts";
import type { Members } from "../../wire/json/writer.ts";
import type { Operands } from "../../wire/operands.ts";
import { TensorOperands } from "../../wire/operands.ts";
import type { Entry, TensorInfo } from "../../wire/safetensors/header.ts";
import { inFileOrder, memberPages, responseHeader } from "../../wire/safetensors/writer.ts";
import type { SafetensorsBody } from "../body/safetensors.ts";
import { endBody, readData, readTensor, reserveTensor } from "../body/safetensors.ts";
import type { SizeLimit } from "../content/content-headers.ts";
import { MEDIA_TYPES, tooLarge } from "../content/content-headers.ts";
import type { LossContext } from "../context.ts";
import { noteAbort, write } from "../send-result.ts";
import { runSlices } from "../turns.ts";
import type { LossPlan, OperandReader, Responder } from "./compute.ts";
import { allocBlock, MEMBERS, toMembers } from "./compute.ts";
import type { StreamedInput, Streaming } from "./streaming.ts";

/** Size of the rows in memory at once, which fits the second-level cache. One row may be larger. */
const WINDOW_BYTES = 256 * 1024;

/** Plans the computation of a stream after the operands before the input are known. */
type PlanRows = (
  operands: Operands,
  streamed: StreamedInput,
) => { readonly reader: OperandReader; readonly plan: LossPlan; readonly responder: Responder };

/** Body whose computation has begun and whose input is next. */
export interface RowStream {
  readonly loss: LossContext;
  readonly body: SafetensorsBody;
  readonly trailing: readonly Tensor[];
  readonly plan: Plan<LossResult>;
  readonly run: Run<LossResult>;
  readonly responder: Responder;
  /** Address of the plan's block. */
  readonly block: number;
}

/** Reads the tensors before the input and opens the computation. Rejects rows and other tensors that take more than `limit` bytes. */
export async function openRows(
  loss: LossContext,
  body: SafetensorsBody,
  { trailing }: Streaming,
  limit: number,
  planRows: PlanRows,
): Promise<RowStream> {
  const tensors = new Map<string, Tensor>();
  const late: Tensor[] = [];
  let input: Entry | undefined;
  const { entries } = body.header;
  const held = entries.reduce((sum, entry) => sum + (entry.name === "input" ? 0 : byteLength(entry)), 0);
  if (held > limit)
    throw tooLarge(`${held} bytes of tensors beside the input`, { bytes: limit, setting: "BODY_LIMIT" });
  for (const entry of entries) {
    if (entry.name === "input") {
      input = entry;
      tensors.set("input", { ...entry, address: 0 });
      continue;
    }
    const tensor = reserveTensor(loss, entry);
    tensors.set(entry.name, tensor);
    if ((trailing as readonly string[]).includes(entry.name)) late.push(tensor);
    else await readTensor(loss, body, tensor);
  }
  if (input === undefined) throw new Error("the validator lets no body without input pass");
  if (byteLength(input) === 0) checkElementCount(input.shape, "/input");
  const streamed = { windowBytes: WINDOW_BYTES, weightComesLast: late.length > 0 };
  const { reader, plan: lossPlan, responder } = planRows(new TensorOperands(tensors), streamed);
  const plan = lossPlan as Plan<LossResult>;
  checkRow(loss, plan, limit);
  const block = allocBlock(loss, reader, plan, responder);
  const run = plan.start(loss.kernel, block);
  await runSlices(run.begin, loss);
  return { loss, body, trailing: late, plan, run, responder, block };
}

/** Rejects a row that does not fit into memory, or into `limit` bytes. */
function checkRow({ region }: LossContext, plan: Plan<LossResult>, limit: number): void {
  const { largest } = region;
  const most: SizeLimit =
    largest < limit ? { bytes: largest, setting: "MEMORY_BUDGET" } : { bytes: limit, setting: "BODY_LIMIT" };
  const { rowBytes } = plan.window!;
  if (rowBytes > most.bytes) {
    const row = plan.axis.inner === 1 ? "row" : "row, the elements of dim and of all dimensions after it";
    throw tooLarge(`${rowBytes} bytes in one ${row}`, most);
  }
}

/** Computes all rows, window by window, and yields the output of each window before the next overwrites it. */
async function* foldRows({
  loss,
  body,
  trailing,
  plan,
  run,
  block,
}: RowStream): AsyncGenerator<Tensor, void> {
  const { timings } = loss;
  const { u8 } = loss.kernel;
  const { outer } = plan.axis;
  const { rows, rowBytes, slot } = plan.window!;
  const window = block + slot.offset;
  const readLast = async (): Promise<void> => {
    for (const tensor of trailing) await readTensor(loss, body, tensor);
    await endBody(body);
  };
  for (let first = 0; first < outer; first += rows) {
    const count = Math.min(rows, outer - first);
    timings.enter("read");
    await readData(body, u8.subarray(window, window + count * rowBytes));
    await loss.turnIfBusy("later");
    timings.enter("compute");
    const { steps, output } = run.rows(window, first, count);
    await runSlices(steps, loss);
    // Holds the output of the last rows until the body ends, because a complete response must mean a complete body.
    if (first + count === outer) await readLast();
    if (output !== undefined) yield output;
  }
  if (outer === 0) await readLast();
}

/** Computes a body without sending a response before its end. */
export async function computeRows(stream: RowStream): Promise<Members> {
  for await (const _ of foldRows(stream));
  return endRows(stream);
}

/** Sorts the members of a response by the time at which they are known: before the rows, the rows, after them. */
function inTime({ plan }: RowStream, known: Members): TensorInfo[] {
  const time = (name: string): number => {
    if (known[name] !== undefined) return 0;
    return name === MEMBERS[plan.rowsOutput!] ? 1 : 2;
  };
  const members = inFileOrder(plan.outputs.map((output) => ({ ...output, name: MEMBERS[output.name] })));
  return members.toSorted((a, b) => time(a.name) - time(b.name));
}

/** Computes the members that the rows did not yield. */
async function endRows({ loss, run }: RowStream): Promise<Members> {
  await runSlices(run.end, loss);
  return toMembers(run.result());
}

/**
 * Responds to a body while it arrives. Sends rows from the output buffer, and reads the next rows when the socket has accepted them, so a client
 * that stops reading stops the upload. Content-Length lets the client detect a response that is cut because its body is invalid.
 */
export async function sendRows(reply: FastifyReply, stream: RowStream): Promise<FastifyReply> {
  const { loss, run } = stream;
  const { kernel, timings } = loss;
  const known = toMembers(run.known?.() ?? {});
  const members = inTime(stream, known);
  const names = members.map(({ name }) => name);
  const header = responseHeader(members, run.warnings);
  const length = members.reduce((sum, member) => sum + byteLength(member), header.length);
  // Computes the first rows before the head, so that their errors still get a status.
  const parts = foldRows(stream);
  let part = await parts.next();
  reply.header("content-type", MEDIA_TYPES.safetensors).header("content-length", length).hijack();
  const response = reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    // Writes in file order: members known from the start, members of the rows, members known at the end.
    await write(response, Buffer.concat([header, ...memberPages(kernel, known, names)]));
    for (; !part.done; part = await parts.next()) {
      const { dtype, shape, address } = part.value;
      timings.enter("write");
      await write(response, kernel.u8.subarray(address, address + byteLength({ dtype, shape })));
    }
    const last = await endRows(stream);
    const rest = names.filter((name) => known[name] === undefined);
    for (const page of memberPages(kernel, last, rest)) await write(response, page);
    response.end();
  } catch (error) {
    noteAbort(reply, error);
    response.destroy();
  }
  return reply;
}
