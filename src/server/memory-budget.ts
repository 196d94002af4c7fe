/** Memory for the tensors of one process, within the limit of its container. */

const MIB = 1024 * 1024;

/** Budget without a setting and without a narrower limit. */
export const DEFAULT_BYTES = 1024 * MIB;

/** Bytes that each process takes beside its tensors, with the buffers of its sockets: 84 MiB idle, up to 215 MiB under a storm of requests. */
const PROCESS_BYTES = 224 * MIB;

/** Bytes of the primary of a cluster, 78 MiB idle. */
const PRIMARY_BYTES = 96 * MIB;

/** Smallest budget, enough for a JSON body of 1 MiB beside small ones. */
const MIN_BYTES = 16 * MIB;

export interface MemoryBudget {
  readonly bytes: number;
  /** Reason for an automatic budget below the default, or for a configured one that the limit does not cover. */
  readonly notice: string | undefined;
}

/**
 * Returns the budget of each of `workers` processes. A `setting` of 0 chooses 1 GiB, or less under a memory limit of the container (`limit`
 * bytes, 0 if unknown, see `process.constrainedMemory`), because the kernel kills a process over its limit without a response.
 */
export function chooseBudget(setting: number, workers: number, limit: number): MemoryBudget {
  const primary = workers > 1 ? PRIMARY_BYTES : 0;
  const room =
    limit === 0 ? Number.POSITIVE_INFINITY : Math.floor((limit - primary) / workers) - PROCESS_BYTES;
  const shown = `the memory limit of ${limit} bytes for ${workers} ${workers === 1 ? "process" : "processes"}`;
  if (setting > 0) {
    const isCovered = setting <= room;
    return {
      bytes: setting,
      notice: isCovered
        ? undefined
        : `MEMORY_BUDGET=${setting} may exceed ${shown}, expected at most ${Math.max(room, MIN_BYTES)}`,
    };
  }
  if (DEFAULT_BYTES <= room) return { bytes: DEFAULT_BYTES, notice: undefined };
  const bytes = Math.max(room - (room % MIB), MIN_BYTES);
  return { bytes, notice: `MEMORY_BUDGET is ${bytes} bytes because of ${shown}` };
}
