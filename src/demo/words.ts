// Numbers as the demo says them.

export function inSeconds(ms: number): number {
  return Math.round(ms / 100) / 10
}

export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f')
}
