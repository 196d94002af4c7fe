/**
 * Arena: one block of memory for the tensors of all requests. It has its final size from the start because untouched
 * pages cost nothing and views never detach. A request plans its bytes from the headers, reserves all of them at once,
 * and returns them after the response, so the memory budget also decides admission.
 */

/** Alignment of every address, the width of a SIMD vector. */
const ALIGNMENT = 16;

/** Share of the Arena for reservations of at most {@link SMALL_BYTES}, so that large requests never starve small ones. */
const SMALL_SHARE = 0.25;
/** Covers a JSON body of 1 MiB with its work space, and most other requests. */
export const SMALL_BYTES = 5 * 1024 * 1024;

/** Share of the Arena for reservations of at most {@link TINY_BYTES}, so that many small requests never starve the smallest. */
const TINY_SHARE = 1 / 16;
/** Covers a JSON body of 64 KiB with its work space. */
const TINY_BYTES = 5 * 64 * 1024;

/** Thrown when the Arena has no room now. A later attempt can succeed. */
export class ArenaFull extends Error {
  override readonly name = "ArenaFull";
  readonly bytes: number;
  constructor(bytes: number) {
    super(`no room for ${bytes} bytes now`);
    this.bytes = bytes;
  }
}

/** Thrown when a request exceeds the limit of one reservation. A later attempt cannot succeed. */
export class ArenaTooSmall extends Error {
  override readonly name = "ArenaTooSmall";
  /** Bytes that the request would have reserved, and its limit. */
  readonly bytes: number;
  readonly limit: number;
  constructor(bytes: number, limit: number) {
    super(`no room for ${bytes} bytes, at most ${limit}`);
    this.bytes = bytes;
    this.limit = limit;
  }
}

interface Extent {
  readonly start: number;
  readonly end: number;
}

/** First-fit allocator over a range of addresses. Free extents are sorted and merged. */
export class Arena {
  readonly start: number;
  readonly end: number;
  /** Total bytes. */
  readonly capacity: number;
  /** Limit of one request's reservations. */
  readonly largest: number;
  /** Limit of all reservations above {@link TINY_BYTES} together. */
  readonly #most: number;
  readonly #onTake: ((start: number, end: number) => void) | undefined;
  #free: Extent[];
  #reserved = 0;
  /** Called for a reservation without room, with the missing bytes and the region that needs them, if it exists. Returns whether others have returned memory. */
  reclaim: ((missing: number, asking: Region | undefined) => boolean) | undefined;

  /** Called when memory has been returned. */
  returned: (() => void) | undefined;

  /** Calls `onTake` for each reserved range, so that tests can fill it with a pattern that no response may contain. */
  constructor(start: number, end: number, onTake?: (start: number, end: number) => void) {
    this.#onTake = onTake;
    this.start = alignUp(start);
    this.end = end;
    this.capacity = end - this.start;
    this.#most = Math.max(this.capacity * (1 - TINY_SHARE), Math.min(this.capacity, TINY_BYTES));
    this.largest = Math.max(this.capacity * (1 - SMALL_SHARE), Math.min(this.#most, SMALL_BYTES));
    this.#free = [{ start: this.start, end }];
  }

  /** Bytes in use. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Reserves `bytes` at once. Rejects with {@link ArenaFull}. */
  reserve(bytes: number): Region {
    const region = this.reserveLazily(bytes);
    region.commit();
    return region;
  }

  /** Returns a region that reserves `bytes` when it is first used. Rejects with {@link ArenaFull} if there is no room now. */
  reserveLazily(bytes: number): Region {
    this.#place(bytes, undefined);
    return new Region(this, bytes);
  }

  /** Returns a region that reserves `bytes` when it is first used, whether there is room now or not. */
  reserveLazilyUnchecked(bytes: number): Region {
    return new Region(this, bytes);
  }

  /** Returns the index of the free extent for a reservation. Reclaims memory for it if necessary. */
  #place(bytes: number, asking: Region | undefined): number {
    const size = alignUp(Math.max(bytes, 1));
    for (;;) {
      const at = this.#find(size);
      if (at >= 0) return at;
      const missing = Math.max(this.#reserved + size - this.#limit(size), 1);
      if (this.reclaim === undefined || !this.reclaim(missing, asking)) throw new ArenaFull(bytes);
    }
  }

  /** Limit of all reservations together, for one more of this size. */
  #limit(size: number): number {
    if (size <= TINY_BYTES) return this.capacity;
    return size > SMALL_BYTES ? this.largest : this.#most;
  }

  #find(size: number): number {
    if (this.#reserved + size > this.#limit(size)) return -1;
    return this.#free.findIndex((extent) => extent.end - extent.start >= size);
  }

  /** @internal */
  take(bytes: number, asking: Region): Extent {
    const at = this.#place(bytes, asking);
    const size = alignUp(Math.max(bytes, 1));
    const extent = this.#free[at]!;
    const taken = { start: extent.start, end: extent.start + size };
    if (taken.end === extent.end) this.#free.splice(at, 1);
    else this.#free[at] = { start: taken.end, end: extent.end };
    this.#reserved += size;
    this.#onTake?.(taken.start, taken.end);
    return taken;
  }

  /** @internal */
  give({ start, end }: Extent): void {
    this.#reserved -= end - start;
    let at = this.#free.findIndex((extent) => extent.start > start);
    if (at < 0) at = this.#free.length;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const joinsBefore = before !== undefined && before.end === start;
    const joinsAfter = after !== undefined && after.start === end;
    const joined = { start: joinsBefore ? before.start : start, end: joinsAfter ? after.end : end };
    this.#free.splice(joinsBefore ? at - 1 : at, Number(joinsBefore) + Number(joinsAfter), joined);
    this.returned?.();
  }
}

/** Reservation of one request. Addresses are allocated in order and returned together. */
export class Region {
  readonly #arena: Arena;
  readonly #extents: Extent[] = [];
  /** Bytes to reserve on the first use, undefined after it. */
  #lazyBytes: number | undefined;
  #isReleased = false;
  #next = 0;
  #end = 0;

  /** @internal */
  constructor(arena: Arena, lazyBytes: number) {
    this.#arena = arena;
    this.#lazyBytes = lazyBytes;
  }

  /** Reserves the bytes unless that has happened. Rejects with {@link ArenaFull}. */
  commit(): void {
    this.#checkUse();
    if (this.#lazyBytes === undefined) return;
    this.#grow(this.#lazyBytes);
    this.#lazyBytes = undefined;
  }

  /** Reserves another extent and returns the rest of the last one to the Arena. */
  #grow(bytes: number): void {
    const last = this.#extents.at(-1);
    if (last !== undefined && this.#next < last.end) {
      this.#extents[this.#extents.length - 1] = { start: last.start, end: this.#next };
      this.#arena.give({ start: this.#next, end: last.end });
    }
    this.#end = this.#next;
    const extent = this.#arena.take(bytes, this);
    this.#extents.push(extent);
    this.#next = extent.start;
    this.#end = extent.end;
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Reserved bytes. */
  get bytes(): number {
    return this.#extents.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Next address of {@link Region.alloc}. */
  get next(): number {
    return this.#next;
  }

  /** Limit of one request's reservations. */
  get largest(): number {
    return this.#arena.largest;
  }

  /** Bytes left in the current extent. */
  get left(): number {
    return this.#end - this.#next;
  }

  /** Rejects with {@link ArenaTooSmall} if `bytes` more would exceed the limit of one request. */
  checkRoom(bytes: number): void {
    if (bytes <= this.left) return;
    const size = this.bytes + alignUp(bytes) - this.left;
    if (size > this.#arena.largest) throw new ArenaTooSmall(size, this.#arena.largest);
  }

  /** Allocates aligned memory and reserves more if necessary. Rejects with {@link ArenaFull}. */
  alloc(bytes: number): number {
    this.commit();
    const size = alignUp(bytes);
    if (this.#next + size > this.#end) this.#grow(size);
    const address = this.#next;
    this.#next += size;
    return address;
  }

  /** Returns the reservation. The next use reserves `bytes` instead. Addresses from before become invalid. */
  replaceLazily(bytes: number): void {
    this.#checkUse();
    this.#return();
    this.#lazyBytes = bytes;
  }

  /** Returns every byte to the Arena. Idempotent. */
  release(): void {
    this.#return();
    this.#isReleased = true;
  }

  #checkUse(): void {
    if (this.#isReleased) throw new Error("the region has been released");
  }

  #return(): void {
    for (const extent of this.#extents.splice(0)) this.#arena.give(extent);
    this.#next = this.#end = 0;
  }
}

/** Rounds up to a multiple of {@link ALIGNMENT}. */
export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
