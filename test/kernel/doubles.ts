/** Random float64 of all kinds that a printer may treat differently, for its tests. */

/** Random numbers in [0, 1) with 53 bits. */
export type Random = () => number;

const word = new BigUint64Array(1);
const double = new Float64Array(word.buffer);

const bitsOf = (value: number): bigint => {
  double[0] = value;
  return word[0]!;
};
const ofBits = (bits: bigint): number => {
  word[0] = bits;
  return double[0]!;
};

const upTo = (random: Random, end: number): number => Math.floor(random() * end);
const sign = (random: Random): number => (random() < 0.5 ? -1 : 1);

/** The number, or another one at most four steps away. */
function near(random: Random, value: number): number {
  const distance = BigInt(upTo(random, 9)) - 4n;
  const bits = bitsOf(value) + distance;
  return Number.isFinite(value) && value > 0 && bits > 0n ? ofBits(bits) : value;
}

function randomBits(random: Random): number {
  const high = upTo(random, 2 ** 32);
  return ofBits((BigInt(high) << 32n) | BigInt(upTo(random, 2 ** 32)));
}

/** Kinds of numbers by name. */
export const DOUBLES: Readonly<Record<string, (random: Random) => number>> = {
  "bit patterns": randomBits,
  "numbers in [0, 1)": (random) => random(),
  "numbers from -5 to 5": (random) => random() * 10 - 5,
  "log-probabilities": (random) => Math.log(random() + 1e-12),
  "gradients near 1e-5": (random) => sign(random) * random() * 1e-5,
  "1e-12 to 1e12": (random) => sign(random) * 10 ** (random() * 24 - 12),
  "decimals of up to 17 digits": (random) =>
    Number(`${upTo(random, 10 ** upTo(random, 10))}${upTo(random, 1e7)}e-${upTo(random, 25)}`),
  "fractions of a power of two": (random) =>
    upTo(random, 2 ** (1 + upTo(random, 53))) / 2 ** upTo(random, 70),
  "powers of two and their neighbors": (random) => near(random, 2 ** (upTo(random, 2098) - 1074)),
  "powers of ten and their neighbors": (random) => near(random, Number(`1e${upTo(random, 632) - 323}`)),
  "few digits and their neighbors": (random) =>
    near(random, Number(`${1 + upTo(random, 1000)}e${upTo(random, 630) - 323}`)),
  integers: (random) => sign(random) * upTo(random, 2 ** (1 + upTo(random, 53))),
  "integers beyond 2^53": (random) => sign(random) * Math.floor(2 ** (53 + random() * 30)),
  float32: (random) => Math.fround(sign(random) * 10 ** (random() * 20 - 10)),
  subnormals: (random) => sign(random) * upTo(random, 2 ** (1 + upTo(random, 52))) * 2 ** -1074,
  "the largest": (random) => Number.MAX_VALUE * (1 - random() * 2 ** -upTo(random, 50)),
  "zeros among others": (random) => (random() < 0.7 ? sign(random) * 0 : random()),
  everything: (random) =>
    [random(), 0, -0, 1, 7, NaN, Infinity, -Infinity, 1e-320, 2 ** -70, 1e22, randomBits(random)][
      upTo(random, 12)
    ]!,
};

const SCALE = 192n;
const FIRST_BIT = 2n ** 52n;

/**
 * Numbers m 2^q whose distance from a decision of scale64.ts is as small as the 53 bits of m allow, and larger ones. With
 * A = 2^q / 10^(k+1), the decisions are at the integers of m A + A / 2, m A - A / 2 and 10 m A + 1/2. Beginning with a
 * random m, each step adds denominators of the next convergent of A, which bring the fraction nearer to 0.
 */
export function undecidedDoubles(random: Random, biased: number): number[] {
  const q = biased - 1075;
  const k = Math.floor(q * Math.log10(2));
  const factor = (times: bigint): bigint => fixed(times, q, k + 1);
  const targets: [step: bigint, start: bigint][] = [
    [factor(1n), factor(1n) / 2n],
    [factor(1n), -factor(1n) / 2n],
    [factor(10n), 1n << (SCALE - 1n)],
  ];
  return targets.flatMap(([step, start]) => {
    let m = FIRST_BIT + BigInt(upTo(random, 2 ** 51));
    const found: number[] = [];
    for (const [denominator, error] of convergents(step)) {
      const rest = centered(m * step + start);
      if (rest > 0n === error > 0n || error === 0n) continue;
      const room = (2n * FIRST_BIT - 1n - m) / denominator;
      const steps = -rest / error;
      m += denominator * (steps < room ? steps : room);
      if (denominator > 2n ** 16n) found.push(ofBits((BigInt(biased) << 52n) | (m - FIRST_BIT)));
    }
    return found;
  });
}

/** times 2^q / 10^k, times 2^SCALE. */
function fixed(times: bigint, q: number, k: number): bigint {
  const up = BigInt(Math.max(q, 0)) + SCALE;
  const numerator = (times << up) * 10n ** BigInt(Math.max(-k, 0));
  return numerator / 10n ** BigInt(Math.max(k, 0)) / 2n ** BigInt(Math.max(-q, 0));
}

/** A number minus the nearest integer, both times 2^SCALE. */
function centered(value: bigint): bigint {
  return BigInt.asIntN(Number(SCALE), value);
}

/** The denominators below 2^52 of the convergents of a number, times 2^SCALE, and how far their multiples are from integers. */
function convergents(value: bigint): [denominator: bigint, error: bigint][] {
  const found: [bigint, bigint][] = [];
  let [above, below] = [1n << SCALE, BigInt.asUintN(Number(SCALE), value)];
  let [before, denominator] = [0n, 1n];
  while (below > 0n && denominator < FIRST_BIT) {
    found.push([denominator, centered(denominator * value)]);
    [before, denominator] = [denominator, (above / below) * denominator + before];
    [above, below] = [below, above % below];
  }
  return found;
}
