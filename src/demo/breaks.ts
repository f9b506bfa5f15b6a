// What the demo can break on purpose, to show that its comparison would find it.

export const BREAKS = ['lose-one'] as const
export type Break = (typeof BREAKS)[number]
