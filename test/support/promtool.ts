// Prometheus's own tool, where it is installed (Debian: apt-get install --no-install-recommends prometheus).
import { spawnSync } from 'node:child_process'

export const isThere = spawnSync('promtool', ['--version']).status === 0

export function promtool(
  args: readonly string[],
  input = '',
  cwd?: string,
): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, cwd, encoding: 'utf8' })
  return { code: status, output: `${stdout}${stderr}` }
}
