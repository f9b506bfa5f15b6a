// A log whose events all say what they are about, so that one can look for what concerns a link, whoever has said it.
import type { Log } from '../ports/log.ts'

export function logAbout(log: Log, about: Readonly<Record<string, string>>): Log {
  return { event: (level, message, facts) => log.event(level, message, { ...about, ...facts }) }
}
