// Which kdr this is: `package.json` stands beside `src` and beside the compiled `dist`.
import { readFileSync } from 'node:fs'

let version: string | undefined

export function kdrVersion(): string {
  version ??= (
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version
  return version
}
