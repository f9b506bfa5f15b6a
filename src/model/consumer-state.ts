// How a consumer group stands, in the words of Burrow; see engine/monitor/commit-window.ts for the rules. Pure.

/** `unknown`: it has not been watched for a whole window yet, and nothing else tells. The gravest last. */
export const CONSUMER_STATES = ['ok', 'unknown', 'lagging', 'rewound', 'stalled', 'stopped'] as const
export type ConsumerState = (typeof CONSUMER_STATES)[number]

export const graver = (a: ConsumerState, b: ConsumerState): ConsumerState =>
  CONSUMER_STATES.indexOf(a) >= CONSUMER_STATES.indexOf(b) ? a : b
