// How long the tests may take: `make test` is short, `make test-full` full, `make soak` soak.

export type Suite = 'short' | 'full' | 'soak'

const given = process.env['KDR_SUITE']

export const suite: Suite = given === 'full' || given === 'soak' ? given : 'short'
