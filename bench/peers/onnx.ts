/** ONNX Runtime as a peer, on one thread. Its models have one node each, encoded in ONNX's protobuf. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { elementCount } from "../../src/tensor/tensor.ts";
import type { Contender } from "../measure.ts";
import type { KernelPeer, Task } from "./peer.ts";
import { fastestAsync, importPeer } from "./peer.ts";

const PACKAGE = "onnxruntime-node";

/** The part of the package that is used here. */
interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<Session>;
  };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => object;
}

interface Session {
  run(feeds: Readonly<Record<string, object>>): Promise<object>;
  release(): Promise<void>;
}

/** Loads the package; undefined if absent. */
export async function openOnnx(): Promise<KernelPeer | undefined> {
  const module = await importPeer<OnnxRuntime & { default?: OnnxRuntime }>(PACKAGE);
  if (module === undefined) return undefined;
  const runtime = module.default ?? module;
  const manifest = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  let session: Session | undefined;
  return {
    name: "ONNX Runtime",
    version,
    async prepare(task) {
      if (task.backward) return undefined;
      await session?.release();
      session = await createSession(runtime, task);
      return contender(session, feeds(runtime, task));
    },
    close: () => void session?.release(),
  };
}

function createSession(runtime: OnnxRuntime, task: Task): Promise<Session> {
  return runtime.InferenceSession.create(model(task), { intraOpNumThreads: 1, interOpNumThreads: 1 });
}

function contender(session: Session, inputs: Readonly<Record<string, object>>): Contender {
  return { name: "ONNX Runtime", measure: (time) => fastestAsync(() => session.run(inputs), time) };
}

function feeds({ Tensor }: OnnxRuntime, { operation, shape }: Task): Readonly<Record<string, object>> {
  const x = Float32Array.from({ length: elementCount(shape) }, () => Math.random() * 10 - 5);
  const positions = shape.toSpliced(1, 1);
  const target = BigInt64Array.from({ length: elementCount(positions) }, (_, p) =>
    BigInt((p * 7919) % shape[1]!),
  );
  return {
    x: new Tensor("float32", x, shape),
    ...(operation === "cross_entropy" ? { target: new Tensor("int64", target, positions) } : {}),
  };
}

/** Element types, attribute types and the version of the operators, from onnx.proto. */
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_INT = 2;
const OPSET = 13;
const IR_VERSION = 7;

/** Encodes a ModelProto with one LogSoftmax or SoftmaxCrossEntropyLoss node; the numbers are the fields of onnx.proto. */
function model({ operation, shape }: Task): Uint8Array {
  const isLoss = operation === "cross_entropy";
  const axis = [text(1, "axis"), integer(3, 1), integer(20, ATTRIBUTE_INT)];
  const node = [
    text(1, "x"),
    isLoss ? text(1, "target") : [],
    text(2, "y"),
    text(4, isLoss ? "SoftmaxCrossEntropyLoss" : "LogSoftmax"),
    isLoss ? [] : message(5, axis.flat()),
  ];
  const graph = [
    message(1, node.flat()),
    text(2, operation),
    message(11, valueInfo("x", FLOAT, shape)),
    isLoss ? message(11, valueInfo("target", INT64, shape.toSpliced(1, 1))) : [],
    message(12, valueInfo("y", FLOAT, isLoss ? [] : shape)),
  ];
  return Uint8Array.from([
    ...integer(1, IR_VERSION),
    ...message(7, graph.flat()),
    ...message(8, [...text(1, ""), ...integer(2, OPSET)]),
  ]);
}

function valueInfo(name: string, type: number, shape: readonly number[]): number[] {
  const sizes = message(
    2,
    shape.flatMap((size) => message(1, integer(1, size))),
  );
  return [...text(1, name), ...message(2, message(1, [...integer(1, type), ...sizes]))];
}

/** Protobuf's wire types: 0 is a number, 2 is length-prefixed bytes. */
function integer(field: number, value: number): number[] {
  return [...varint(field * 8), ...varint(value)];
}

function message(field: number, bytes: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return message(field, [...Buffer.from(value)]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
