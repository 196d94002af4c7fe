/** Histograms counted by plain arrays, because prom-client's bookkeeping would take a tenth of a small request's time. */
import type { Histogram, Registry } from "prom-client";

/** Buckets from a small request's microseconds to a large upload's minutes. */
const BUCKETS_S = [0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120];

/** Observations of one series. */
export class Observations {
  /** Observations by bucket, then those beyond the last bucket. */
  readonly #counts = new Float64Array(BUCKETS_S.length + 1);
  #seconds = 0;

  add(seconds: number): void {
    let bucket = 0;
    while (bucket < BUCKETS_S.length && seconds > BUCKETS_S[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#seconds += seconds;
  }

  /** Returns the samples of the series in the registry's form. */
  samples(name: string, labels: Readonly<Record<string, string>>) {
    let count = 0;
    const buckets = [...BUCKETS_S, "+Inf"].map((le, bucket) => {
      count += this.#counts[bucket]!;
      return { metricName: `${name}_bucket`, labels: { le: String(le), ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#seconds },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/** Registers a histogram with one series per value of `label`, as the registry collects it, because prom-client's cannot be filled from outside. */
export function registerHistogram(
  registry: Registry,
  { name, help, label }: { readonly name: string; readonly help: string; readonly label: string },
  series: Readonly<Record<string, Observations>>,
): void {
  const get = async () => ({
    name,
    help,
    type: "histogram",
    aggregator: "sum",
    values: Object.entries(series).flatMap(([value, observed]) => observed.samples(name, { [label]: value })),
  });
  registry.registerMetric({ name, help, get, reset: () => {} } as unknown as Histogram);
}
