/** Sizes as a person writes them, such as 64 MiB. */

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const TiB = 1024 * 1024 * MiB;

/** Units of sizes, the largest first. */
const SIZE_UNITS = { TiB, GiB: 1024 * MiB, MiB, KiB } as const;

/** Parses a size like 65536, 64MiB or "64 MiB". Returns other texts as they are. */
export function parseSize(text: string): number | string {
  const [, digits, unit] = /^(\d+) ?([KMGT]iB)?$/.exec(text) ?? [];
  if (digits === undefined) return text;
  return Number(digits) * (unit === undefined ? 1 : SIZE_UNITS[unit as keyof typeof SIZE_UNITS]);
}

/** Writes a size with the largest unit of which it is a multiple. */
export function sizeText(bytes: number): string {
  const unit = Object.entries(SIZE_UNITS).find(([, size]) => bytes > 0 && bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]} ${unit[0]}`;
}
