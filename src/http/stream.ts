/** Uploads of any size: rows are folded as they arrive, and what is known of them leaves while the body still comes. */
import type { OutgoingHttpHeaders } from "node:http";
import type { FastifyReply } from "fastify";
import type { LossResult } from "../loss/index-loss.ts";
import type { Plan, Run } from "../loss/plan.ts";
import { Problem } from "../problems.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";
import { PlacedOperands } from "../wire/operands.ts";
import type { Entry } from "../wire/safetensors.ts";
import { answerHeader, inFileOrder, memberPages } from "../wire/safetensors-write.ts";
import { checkSpan } from "../wire/tensors.ts";
import { write } from "./answer.ts";
import type { LossPlan } from "./compute.ts";
import { MEMBERS, takeBlock, toAnswer } from "./compute.ts";
import type { StreamedInput, Streaming } from "./contract/streaming.ts";
import type { Answer, Job } from "./job.ts";
import { MEDIA_TYPES } from "./media.ts";
import type { SizeLimit } from "./preflight.ts";
import { tooLarge } from "./preflight.ts";
import { runSteps } from "./steps.ts";
import type { Upload } from "./upload.ts";
import { endUpload, place, reserve } from "./upload.ts";

/** The rows that are in memory at one time, unless one row takes more: they stay in the second-level cache. */
const WINDOW_BYTES = 256 * 1024;

/** How the computation of a stream is planned, and whether its client has left. */
export interface Opening {
  readonly plan: (streamed?: StreamedInput) => LossPlan;
  readonly gone: () => boolean;
}

/** An upload whose computation is open: the input comes next. */
export interface OpenStream {
  readonly job: Job;
  readonly upload: Upload;
  readonly last: readonly Tensor[];
  readonly plan: Plan<LossResult>;
  readonly run: Run<LossResult>;
  /** The address of the plan's block. */
  readonly block: number;
  /** The member of the answer that leaves while rows come. */
  readonly leaves: Streaming["leaves"];
  readonly gone: () => boolean;
}

/** Reads the tensors before the input and opens the computation. Refuses rows and other tensors that take more than `limit` bytes. */
export async function openStream(
  job: Job,
  upload: Upload,
  { last, leaves }: Streaming,
  limit: number,
  { plan: planLoss, gone }: Opening,
): Promise<OpenStream> {
  const tensors = new Map<string, Tensor>();
  const late: Tensor[] = [];
  let input: Entry | undefined;
  const held = upload.header.entries
    .filter(({ name }) => name !== "input")
    .reduce((sum, entry) => sum + byteLength(entry), 0);
  if (held > limit)
    throw tooLarge(`${held} bytes of tensors beside the input`, { bytes: limit, setting: "BODY_LIMIT" });
  for (const entry of upload.header.entries) {
    if (entry.name === "input") {
      input = entry;
      tensors.set("input", { ...entry, address: 0 });
      continue;
    }
    const tensor = reserve(job, entry);
    tensors.set(entry.name, tensor);
    if ((last as readonly string[]).includes(entry.name)) late.push(tensor);
    else await place(job, upload.source, tensor);
  }
  if (input === undefined) throw new Error("the validator lets no body without input pass");
  if (byteLength(input) === 0) checkSpan(input.shape, "/input");
  job.operands = new PlacedOperands(tensors);
  const streamed = { windowBytes: WINDOW_BYTES, weightComesLast: late.length > 0 };
  const plan = planLoss(streamed) as Plan<LossResult>;
  const { largest } = job.work.region;
  const most: SizeLimit =
    largest < limit ? { bytes: largest, setting: "MEMORY_BUDGET" } : { bytes: limit, setting: "BODY_LIMIT" };
  const { rowBytes } = plan.window!;
  if (rowBytes > most.bytes) throw tooLarge(`${rowBytes} bytes in one row`, most);
  const block = takeBlock(job, plan);
  const run = plan.start(job.work.kernel, block);
  await runSteps(run.begin, gone);
  return { job, upload, last: late, plan, run, block, leaves, gone };
}

/** Folds all rows, window by window, and gives what is known of each window before the next one overwrites it. */
async function* foldRows({
  job,
  upload,
  last,
  plan,
  run,
  block,
  gone,
}: OpenStream): AsyncGenerator<Tensor, void> {
  const { u8 } = job.work.kernel;
  const { outer } = plan.axis;
  const { rows, rowBytes, slot } = plan.window!;
  const window = block + slot.offset;
  const readLast = async (): Promise<void> => {
    for (const tensor of last) await place(job, upload.source, tensor);
    await endUpload(upload.source);
  };
  for (let first = 0; first < outer; first += rows) {
    const count = Math.min(rows, outer - first);
    job.stages.enter("read");
    await upload.source.fill(u8.subarray(window, window + count * rowBytes));
    job.stages.enter("compute");
    const { steps, output } = run.rows(window, first, count);
    await runSteps(steps, gone);
    // What is known of the last rows waits for the end of the body: an answer that is whole belongs to a body that is.
    if (first + count === outer) await readLast();
    if (output !== undefined) yield output;
  }
  if (outer === 0) await readLast();
}

/** Computes an upload of which nothing leaves before its end. */
export async function computeStream(stream: OpenStream): Promise<Answer> {
  for await (const _ of foldRows(stream));
  return endStream(stream);
}

/** The members that the rows did not give. */
async function endStream({ run, gone }: OpenStream): Promise<Answer> {
  await runSteps(run.end, gone);
  return { ...toAnswer(run.result()), warnings: run.warnings };
}

/**
 * Answers an upload while it comes. Rows leave from where they were computed, and the next ones are asked for when the socket has taken
 * them: a reader that stops holds the upload up. The answer has a length from its beginning, so that a reader never takes one that
 * ends early, for a body that turns out to be broken, for a whole one.
 */
export async function sendStream(reply: FastifyReply, stream: OpenStream): Promise<FastifyReply> {
  const { plan, run, gone } = stream;
  const { stages } = stream.job;
  const { kernel } = stream.job.work;
  const members = inFileOrder(plan.outputs.map((output) => ({ ...output, name: MEMBERS[output.name] })));
  const names = members.map(({ name }) => name);
  const header = answerHeader(members, run.warnings);
  const length = members.reduce((sum, member) => sum + byteLength(member), header.length);
  // What the first rows find wrong, or find no room for, still gets a status.
  const parts = foldRows(stream);
  let part = await parts.next();
  reply.header("content-type", MEDIA_TYPES.safetensors).header("content-length", length).hijack();
  const response = reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    // The order of the file: what is known from the start, what leaves with the rows, what is known at their end.
    const known = toAnswer(run.known());
    await write(response, Buffer.concat([header, ...memberPages(kernel, known, names)]));
    for (; !part.done; part = await parts.next()) {
      const { dtype, shape, address } = part.value;
      stages.enter("write");
      await write(response, kernel.u8.subarray(address, address + byteLength({ dtype, shape })));
    }
    const answer = await endStream(stream);
    const rest = names.filter((name) => known[name] === undefined);
    for (const page of memberPages(kernel, answer, rest)) await write(response, page);
    response.end();
  } catch (error) {
    noteCut(reply, error, gone());
    response.destroy();
  }
  return reply;
}

/** What a write to a connection that has been closed fails with. */
const CLOSED = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

/** Notes why an answer that had begun is cut. */
function noteCut({ request, log }: FastifyReply, error: unknown, isGone: boolean): void {
  const isProblem = error instanceof Problem;
  if (isProblem) request.problem = error.code;
  const isClosed =
    isGone || request.raw.socket.destroyed || CLOSED.has((error as NodeJS.ErrnoException).code ?? "");
  if (isClosed && !request.raw.complete)
    log.warn({ operation: request.job?.operation, bytes: request.job?.bytes }, CUT_SHORT);
  else if (!isClosed && !isProblem) log.error({ err: error }, "answer failed");
}

const CUT_SHORT =
  "the connection closed while the request was still sent and its answer had begun: a client that left, or a proxy that does not send both at once, such as nginx";
