// Writes commas and brackets between the elements of nested lists.
//
// Every printer writes a comma after each element. Brackets replace the comma before an element that begins a row: `,`
// becomes `],[`, or `]],[[` if two lists end. So a printer of four elements at a time ignores rows unless one begins
// among the four.

/** Elements in a list of each level, innermost first, as 8 u32. */
export const listLengthsAt: usize = memory.data(32, 16);

let levels: i32 = 0;
let width: u32 = 0;

/** Index of the element that begins the next row. */
export let nextRow: u32 = u32.MAX_VALUE;

/**
 * Begins at element `index` of a tensor with `inner` levels of lists and writes the brackets before it. Returns the
 * address after them.
 */
export function beginRows(index: u32, inner: i32, to: usize): usize {
  levels = inner;
  width = inner == 0 ? 0 : load<u32>(listLengthsAt);
  nextRow = inner == 0 ? u32.MAX_VALUE : index - (index % width) + (index % width > 0 ? width : 0);
  if (index > 0) {
    store<u8>(to, 44);
    return separate(index, to + 1);
  }
  if (inner > 0) nextRow = width;
  return to;
}

/** Replaces the comma before `to` by brackets if element `index` begins a row. */
// @ts-ignore: decorator
@inline
export function separate(index: u32, to: usize): usize {
  return index == nextRow ? breakRow(index, to - 1) : to;
}

/** Closes the lists that end before element `index` and opens as many. */
function breakRow(index: u32, to: usize): usize {
  nextRow += width;
  let lists: usize = 0;
  while (lists < usize(levels) && index % load<u32>(listLengthsAt + (lists << 2)) == 0) lists++;
  store<u64>(to, 0x5d5d5d5d5d5d5d5d);
  store<u8>(to + lists, 44);
  store<u64>(to + lists + 1, 0x5b5b5b5b5b5b5b5b);
  return to + 2 * lists + 1;
}
