// One line per event that a person would want to know of. Secrets never go in.

export type Level = 'debug' | 'info' | 'warn' | 'error'

export interface Log {
  event(level: Level, message: string, facts?: Readonly<Record<string, unknown>>): void
}
