/** The tests' own float16, compared with the engine's. */
import { expect, it } from "vitest";
import { encodeElements, numbersOf } from "./numbers.ts";

it("reads all 65,536 patterns of float16, and rounds the numbers between them", () => {
  const view = new DataView(new ArrayBuffer(2));
  for (let bits = 0; bits < 65_536; bits++) {
    view.setUint16(0, bits, true);
    const value = view.getFloat16(0, true);
    expect(numbersOf("float16", new Uint8Array(view.buffer))).toEqual([value]);
    for (const factor of [1, 1 + 2 ** -11, 1 + 2 ** -12, 1 - 2 ** -12]) {
      view.setFloat16(0, value * factor, true);
      const [got] = new Uint16Array(encodeElements("float16", [value * factor]).buffer);
      if (!Number.isNaN(value) && got !== view.getUint16(0, true)) expect([value * factor, got]).toEqual([]);
    }
  }
});
