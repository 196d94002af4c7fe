/** Examples of the form, after the steps of the guide. */

import type { Nested } from "../tensors/slices.ts";
import type { Body, Operation } from "./request.ts";

export interface Example {
  /** Names the example in links. */
  readonly slug: string;
  readonly title: string;
  /** Hint shown below the menu. */
  readonly note: string;
  readonly operation: Operation;
  readonly input: Nested;
  readonly target?: Nested;
  readonly options?: Readonly<Record<string, Nested | boolean>>;
  /** Names of the classes, separated by commas. */
  readonly classNames?: string;
  /** Also shows that class indices, one-hot rows and nll_loss of log_softmax give the same loss. */
  readonly threeWays?: boolean;
}

/** Returns the body of an example's request. */
export function bodyOf({ input, target, options }: Example): Body {
  return { input, ...(target !== undefined && { target }), return_grad: true, ...options };
}

const LOGITS = [
  [2, 1, 0, -1, 0.5],
  [0.25, 0.5, -0.5, 1, -1],
  [1, 0.75, -0.25, 0, 2],
];

export const EXAMPLES: readonly Example[] = [
  {
    slug: "cats",
    title: "Three pictures of cats",
    note: "All three pictures show cats (class 0): the model is certain, unsure, and wrong. Look how the loss grows, then take training steps.",
    classNames: "cat, dog, bird",
    operation: "cross_entropy",
    input: [
      [5, 1, -1],
      [1, 0.8, 0.6],
      [-1, 3, 0.5],
    ],
    target: [0, 0, 0],
  },
  {
    slug: "rows",
    title: "Three rows, five classes",
    note: "Each row of scores becomes probabilities. The loss of a row is small where the probability of its target, which is framed, is large. Drag a score to see it.",
    operation: "cross_entropy",
    input: LOGITS,
    target: [1, 0, 4],
  },
  {
    slug: "one-hot",
    title: "One-hot or index",
    note: "The target as one-hot rows: a 1 at the class, 0 elsewhere. Class indices say the same with fewer numbers, and the loss is the same.",
    operation: "cross_entropy",
    input: LOGITS,
    target: [
      [0, 1, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [0, 0, 0, 0, 1],
    ],
    threeWays: true,
  },
  {
    slug: "pixels",
    title: "Segmentation, 4 × 4 pixels",
    note: "One image, three classes: every pixel has a score for each class and a class of its own. Pixels of class 255 are ignored.",
    operation: "cross_entropy",
    input: [
      [
        [
          [3, 2, 0, -1],
          [3, 2, 0, -1],
          [2, 1, 0, 0],
          [1, 0, 0, 0],
        ],
        [
          [0, 1, 2, 3],
          [0, 1, 2, 3],
          [0, 1, 1, 2],
          [0, 0, 1, 1],
        ],
        [
          [-1, -1, 0, 0],
          [-1, -1, 0, 0],
          [0, 0, 2, 2],
          [1, 2, 3, 3],
        ],
      ],
    ],
    target: [
      [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [0, 255, 2, 2],
        [2, 2, 2, 2],
      ],
    ],
    options: { ignore_index: 255 },
  },
  {
    slug: "masked",
    title: "Masked scores (−∞)",
    note: "A score of −∞ is a class that cannot be: its probability is 0, its gradient too, and the others share the 1.",
    operation: "cross_entropy",
    input: [
      [1, 2, "-Infinity", 0],
      ["-Infinity", 0.5, 0.5, "-Infinity"],
    ],
    target: [1, 2],
  },
  {
    slug: "nothing",
    title: "Nothing to average (NaN)",
    note: "Both targets are −100, the default ignore_index. The mean divides 0 by 0, in PyTorch and here.",
    operation: "cross_entropy",
    input: [
      [1, 2],
      [3, 4],
    ],
    target: [-100, -100],
  },
  {
    slug: "tokens",
    title: "Next tokens (dim, shift)",
    note: "A text of four tokens, with a score for each of three possible next tokens. dim −1 says that the classes are last. With shift 1 the target of a row is the token of the next row, so the last row has no loss and no gradient.",
    operation: "cross_entropy",
    input: [
      [
        [2, 0.5, -1],
        [0, 1.5, 1],
        [-0.5, 0, 2],
        [1, 1, 1],
      ],
    ],
    target: [[1, 0, 1, 2]],
    options: { dim: -1, shift: 1 },
  },
  {
    slug: "softcap",
    title: "Bounded and divided scores (softcap, temperature)",
    note: "softcap keeps the scores between −2 and 2, and temperature 0.5 doubles them. The probabilities are those of the transformed scores, and the gradient goes back through the transform.",
    operation: "cross_entropy",
    input: [
      [5, 1, -1],
      [1, 0.8, 0.6],
    ],
    target: [0, 2],
    options: { softcap: 2, temperature: 0.5 },
  },
  {
    slug: "teacher",
    title: "Top two of a teacher (target_weight)",
    note: "A larger model names two classes for each row, with a probability each. The loss is that of a row of probabilities with these entries.",
    operation: "cross_entropy",
    input: LOGITS,
    target: [
      [0, 1],
      [3, 1],
      [4, 0],
    ],
    options: {
      target_weight: [
        [0.7, 0.3],
        [0.6, 0.4],
        [0.9, 0.1],
      ],
      return_grad_target_weight: true,
    },
  },
  {
    slug: "z-loss",
    title: "z-loss, factors of rows, predictions",
    note: "lse_square_scale adds a part to each loss that keeps the scores near 0. sample_weight lets row 1 count three times as much, and row 2 not at all. No row is ignored, so the mean of correct is the accuracy.",
    operation: "cross_entropy",
    input: LOGITS,
    target: [0, 1, 4],
    options: {
      sample_weight: [1, 3, 0],
      lse_square_scale: 0.01,
      return_z_loss: true,
      return_predictions: true,
      return_correct: true,
    },
  },
  {
    slug: "nll",
    title: "Log-probabilities (nll_loss)",
    note: "nll_loss takes the logarithms that log_softmax gives. The loss of a row is its number at the target, with the sign turned.",
    operation: "nll_loss",
    input: [
      [-0.5, -1.5, -1.73],
      [-2, -0.25, -2.5],
    ],
    target: [0, 1],
  },
  {
    slug: "divergence",
    title: "How far two distributions are apart (kl_div)",
    note: "kl_div compares each row of the input with a row of probabilities. With from_logits, both are scores. Only batchmean is the mean divergence of the rows, as PyTorch warns.",
    operation: "kl_div",
    input: [
      [1, 2, 0.5],
      [0, 0, 0],
    ],
    target: [
      [2, 1, 0],
      [0.5, 0, -0.5],
    ],
    options: { from_logits: true, reduction: "batchmean", return_grad_target: true },
  },
  {
    slug: "log-softmax",
    title: "log_softmax alone",
    note: "Every row minus the logarithm of its sum of exponentials. Choose dim 0 to see the columns add up instead. The gradient is for grad_output, a 1 for one number of each row.",
    operation: "log_softmax",
    input: [
      [0.2, -1.1, 0.9],
      [1.5, 0, -0.4],
    ],
    options: {
      dim: 1,
      grad_output: [
        [1, 0, 0],
        [0, 1, 0],
      ],
    },
  },
];
