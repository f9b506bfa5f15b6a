// The exit codes, as scripts rely on them. ERRORS in model/errors.ts says which error has which.

export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'ok'],
  [1, 'unexpected (a bug)'],
  [2, 'usage or config'],
  [3, 'finished, and something is wrong'],
  [10, 'wrong cluster id or topic id'],
  [11, 'a cluster or store cannot be reached'],
  [12, 'the target is not empty'],
  [13, 'another controller or writer is active'],
  [14, 'not allowed (authentication, authorization)'],
  [15, 'not fenced'],
  [16, 'would lose data: needs the flag that the message names'],
  [17, 'not ready (preflight)'],
  [18, 'a broker or store lacks what is needed'],
  [20, 'approval needed'],
  [21, 'stopped part-way; the output names what resumes it'],
  [130, 'interrupted'],
]
