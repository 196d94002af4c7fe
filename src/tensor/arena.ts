/**
 * The Arena: one block of memory in which all tensors of all requests live. It has its final size from the start (pages cost
 * nothing until they are touched), so views of it never detach. What a request needs is planned from its headers, taken with its first
 * byte, all or nothing, and returned when its answer has left: the memory budget and the admission are the same number.
 */

/** Every address that the Arena hands out is a multiple of this: the width of a SIMD vector. */
const ALIGNMENT = 16;

/** The share of the Arena that only reservations of at most {@link SMALL} bytes get: large requests never starve small ones. */
const SHARE = 0.25;
/** A JSON body of 1 MiB, its work space, and all that most requests take. */
const SMALL = 5 * 1024 * 1024;

/** The share of the Arena that only reservations of at most {@link TINY} bytes get: hundreds of small ones never starve the least. */
const LAST_SHARE = 1 / 16;
/** A JSON body of 64 KiB and its work space. */
const TINY = 5 * 64 * 1024;

/** Thrown where the Arena has no room now. Trying again later can succeed. */
export class ArenaFull extends Error {
  override readonly name = "ArenaFull";
  readonly bytes: number;
  constructor(bytes: number) {
    super(`no room for ${bytes} bytes now`);
    this.bytes = bytes;
  }
}

/** Thrown where the Arena can never have room, because a request may not reserve so much at once. */
export class ArenaTooSmall extends Error {
  override readonly name = "ArenaTooSmall";
  /** Bytes that the request would have reserved, and the most that it may. */
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

/** The free extents of a range of addresses, in order, neighbours joined; taken first fit. */
export class Arena {
  readonly start: number;
  readonly end: number;
  readonly #onTake: ((start: number, end: number) => void) | undefined;
  #free: Extent[];
  #reserved = 0;

  /** `onTake` is told of every range that is taken; tests fill it with a pattern that no answer may hold. */
  constructor(start: number, end: number, onTake?: (start: number, end: number) => void) {
    this.#onTake = onTake;
    this.start = alignUp(start);
    this.end = end;
    this.#free = [{ start: this.start, end }];
  }

  /** All the bytes that can be reserved at one time. */
  get capacity(): number {
    return this.end - this.start;
  }

  /** The most bytes that one request can ever reserve at once. */
  get largest(): number {
    return Math.max(this.capacity * (1 - SHARE), Math.min(this.#most, SMALL));
  }

  /** The bytes that reservations of more than {@link TINY} can have together. */
  get #most(): number {
    return Math.max(this.capacity * (1 - LAST_SHARE), Math.min(this.capacity, TINY));
  }

  /** The bytes that are reserved now. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Reserves `bytes`, all or nothing. Refuses with {@link ArenaFull}. */
  reserve(bytes: number): Region {
    const region = this.plan(bytes);
    region.open();
    return region;
  }

  /** A region that reserves `bytes`, all or nothing, when it is first used. Refuses with {@link ArenaFull} where there is no room even now. */
  plan(bytes: number): Region {
    this.#place(bytes);
    return new Region(this, bytes);
  }

  /** The number of the free extent that a reservation gets. */
  #place(bytes: number): number {
    const size = alignUp(Math.max(bytes, 1));
    if (size > TINY && this.#reserved + size > (size > SMALL ? this.largest : this.#most))
      throw new ArenaFull(bytes);
    const at = this.#free.findIndex((extent) => extent.end - extent.start >= size);
    if (at < 0) throw new ArenaFull(bytes);
    return at;
  }

  /** @internal */
  take(bytes: number): Extent {
    const at = this.#place(bytes);
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
  }
}

/** The reservation of one request: addresses are handed out in a row and all returned together. */
export class Region {
  readonly #arena: Arena;
  readonly #extents: Extent[] = [];
  /** What it reserves when it is opened; undefined from then on. */
  #planned: number | undefined;
  #isReleased = false;
  #next = 0;
  #end = 0;

  /** @internal */
  constructor(arena: Arena, planned: number) {
    this.#arena = arena;
    this.#planned = planned;
  }

  /** Reserves what was planned, unless it has. Refuses with {@link ArenaFull}. */
  open(): void {
    if (this.#planned === undefined) return;
    this.#grow(this.#planned);
    this.#planned = undefined;
  }

  /** Takes an extent of `bytes` instead of the rest of the last one, which goes back to the Arena. */
  #grow(bytes: number): void {
    const last = this.#extents.at(-1);
    if (last !== undefined && this.#next < last.end) {
      this.#extents[this.#extents.length - 1] = { start: last.start, end: this.#next };
      this.#arena.give({ start: this.#next, end: last.end });
    }
    this.#end = this.#next;
    const extent = this.#arena.take(bytes);
    this.#extents.push(extent);
    this.#next = extent.start;
    this.#end = extent.end;
  }

  /** The next address that {@link Region.alloc} would hand out. */
  get next(): number {
    return this.#next;
  }

  /** The most bytes that it can ever get at once. */
  get largest(): number {
    return this.#arena.largest;
  }

  /** The bytes that are left before the region has to ask the Arena for more. */
  get left(): number {
    return this.#end - this.#next;
  }

  /** Refuses with {@link ArenaTooSmall} `bytes` more than one request can ever have. */
  checkRoom(bytes: number): void {
    if (bytes <= this.left) return;
    const size = this.#extents.reduce((sum, { start, end }) => sum + end - start, alignUp(bytes) - this.left);
    if (size > this.#arena.largest) throw new ArenaTooSmall(size, this.#arena.largest);
  }

  /** An aligned address with room for `bytes`. Takes more from the Arena when the reservation is used up, or refuses with {@link ArenaFull}. */
  alloc(bytes: number): number {
    this.#checkUse();
    this.open();
    const size = alignUp(bytes);
    if (this.#next + size > this.#end) this.#grow(size);
    const address = this.#next;
    this.#next += size;
    return address;
  }

  /** Returns what is reserved and plans `bytes` instead, for what turns out to be larger; addresses from before are no longer its own. */
  replan(bytes: number): void {
    this.#checkUse();
    this.#return();
    this.#planned = bytes;
  }

  /** Returns every byte to the Arena. Safe to call more than once. */
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

/** The next multiple of {@link ALIGNMENT}. */
export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
