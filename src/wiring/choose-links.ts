// Which links of the config a command means.
import type { Config, LinkConfig } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'

/** The links that a command means; none where there are only sets. Throws KdrError('usage') for a name that the config does not have. */
export function chooseLinks(config: Config, names: readonly string[]): LinkConfig[] {
  const all = Object.values(config.links)
  const hasSets = Object.keys(config.sets).length > 0
  if (all.length === 0 && (names.length > 0 || !hasSets))
    throw new KdrError('config-invalid', `${config.path} has no links`, {
      hint: 'Add one under `links:`. How clusters stand by themselves says `kdr check`.',
    })
  if (names.length === 0) return all
  return names.map(name => {
    const link = config.links[name]
    if (link !== undefined) return link
    throw new KdrError('usage', `the config has no link "${name}"`, {
      hint: `It has: ${Object.keys(config.links).join(', ')}.`,
    })
  })
}
