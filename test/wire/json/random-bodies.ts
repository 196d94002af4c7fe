/** Random JSON bodies for the number reader: every form of number that a vector reads, its neighbours that none may read, and lists that end anywhere. */

export type Random = () => number;

/** One of a list. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)]!;
}

function digits(random: Random, count: number): string {
  let text = "";
  for (let k = 0; k < count; k++) text += Math.floor(random() * 10);
  return text;
}

function whole(random: Random, count: number): string {
  return digits(random, count).replace(/^0+(?=.)/, "");
}

const upTo = (random: Random, limit: number): number => Math.floor(random() * (limit + 1));
const float64 = new Float64Array(1);
const bits64 = new BigUint64Array(float64.buffer);

/** A positive double of any size, by its bits; 0 instead of what is not finite. */
function anyDouble(random: Random): number {
  bits64[0] = (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  return Number.isFinite(float64[0]) ? Math.abs(float64[0]!) : 0;
}

/** The exact text of the point half way between a double of ordinary size and the next, or a text that differs from it in the last digit. */
function nearHalfway(random: Random): string {
  const double = 2 ** 52 + Math.floor(random() * 2 ** 52);
  const places = upTo(random, 20);
  const scale = 2n ** BigInt(places);
  const exact = (2n * BigInt(double) + 1n) * 5n ** BigInt(places + 1) + BigInt(upTo(random, 2) - 1);
  const text = String(exact).padStart(places + 2, "0");
  const point = text.length - places - 1;
  return random() < 0.3
    ? String(2n * BigInt(double) + scale)
    : `${text.slice(0, point)}.${text.slice(point)}`;
}

/** How programs write numbers, and how they do not: sizes from nothing to more than any vector holds. */
const FORMS: readonly ((random: Random) => string)[] = [
  (random) => `${upTo(random, 9)}.${digits(random, 6)}`,
  (random) => `${whole(random, 1 + upTo(random, 16))}.${digits(random, 1 + upTo(random, 15))}`,
  (random) => whole(random, 1 + upTo(random, 20)),
  (random) => String(Math.fround(random() * 10)),
  (random) => String(random() * 10 ** upTo(random, 6)),
  (random) => String(random() * 10 ** -upTo(random, 12)),
  (random) => `${random() * 10 ** -upTo(random, 12)}`.replace(/e-(\d)$/, "e-0$1"),
  (random) => (random() * 10 ** (upTo(random, 80) - 70)).toExponential(upTo(random, 20)),
  (random) =>
    `${whole(random, 1 + upTo(random, 18))}${pick(random, ["e", "E"])}${pick(random, ["-", "-", "+", ""])}${digits(random, 1 + upTo(random, 2))}`,
  (random) => `0.${"0".repeat(upTo(random, 30))}${digits(random, 1 + upTo(random, 18))}`,
  (random) => anyDouble(random).toString(),
  (random) => anyDouble(random).toPrecision(17),
  (random) => whole(random, 1 + upTo(random, 40)),
  nearHalfway,
  (random) =>
    pick(random, [
      "0",
      "0.0",
      "9007199254740992",
      "9007199254740993",
      "9007199254740992.0",
      "900719925474099.3e1",
      "0e-5",
      "5e-324",
      "1e400",
      "0.1",
      "1",
    ]),
];

const BAD =
  '01,00.5,.5,5.,1..2,1.2.3,.,-,+1,,1e,1e-,1e5x,1-2,0x10,1_0,1:2,NaN,Infinity,nan,null,"NaN","1",1 2,[],{},1/2,--1,1.-2,e5,1e--5,1e+-5,1e-0x,0.1234567890123456789012345678.9,.123456789012345,123456789012345.'.split(
    ",",
  );

/** How many forms {@link randomNumber} has. */
export const FORM_COUNT: number = FORMS.length;

/** A valid number in the form of this index, or in any; negative as often as not. */
export function randomNumber(random: Random, form = upTo(random, FORMS.length - 1)): string {
  return `${random() < 0.5 ? "-" : ""}${FORMS[form]!(random)}`;
}

interface Style {
  readonly form: number | undefined;
  readonly separator: string;
  /** How often a number or a separator is of another style, and how often it is wrong. */
  readonly odd: number;
  readonly bad: number;
}

const SEPARATORS = [",", ",", ",", ", ", ", ", " ,", ",\n ", ",  "];

function list(random: Random, length: number, style: Style, item: () => string): string {
  let text = "";
  for (let k = 0; k < length; k++) {
    if (k > 0) text += random() < style.odd ? pick(random, SEPARATORS) : style.separator;
    text += item();
  }
  return `[${text}]`;
}

/** A body with one tensor of rank 1 to 3 and, at times, something behind it; about half of them are malformed or ragged. */
export function randomBody(random: Random): string {
  const style: Style = {
    form: random() < 0.8 ? upTo(random, FORMS.length - 1) : undefined,
    separator: pick(random, SEPARATORS),
    odd: pick(random, [0, 0, 0.01, 0.2]),
    bad: pick(random, [0, 0, 0, 0.005, 0.05]),
  };
  const number = (): string => {
    if (random() < style.bad) return pick(random, BAD);
    return randomNumber(random, random() < style.odd ? undefined : style.form);
  };
  const width = pick(random, [1, 2, 3, 4, 5, 6, 7, 10, 37]);
  const uneven = random() < 0.2 ? 0.03 : 0;
  const row = (): string =>
    list(random, Math.max(0, width + (random() < uneven ? pick(random, [-1, 1, -width]) : 0)), style, number);
  const rank = 1 + upTo(random, 2);
  const outer = 1 + upTo(random, 4);
  let tensor: string;
  if (rank === 1) tensor = list(random, upTo(random, 120), style, number);
  else if (rank === 2) tensor = list(random, 1 + upTo(random, 100 / width + 3), style, row);
  else tensor = list(random, 1 + upTo(random, 5), style, () => list(random, outer, style, row));
  const body = `{"input":${tensor}${pick(random, ["}", "}", ',"reduction":"mean","target":[1,2,3,4,5]}', ""])}`;
  return random() < 0.25 ? mutated(random, body) : body;
}

/** One byte more, less or another. */
function mutated(random: Random, body: string): string {
  const at = upTo(random, body.length - 1);
  const byte = pick(random, [...'0123456789.,-+eE[]{} \n":x/;Na']);
  return body.slice(0, at) + pick(random, [byte, ""]) + body.slice(at + upTo(random, 1));
}
