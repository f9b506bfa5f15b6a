// Who hears of a source broker that has become slow: the metrics count the rests, the log says when they begin and end.
import type { GentleHooks } from '../kafka/gentle.ts'
import type { TrafficMeter } from '../kafka/measured.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from './system.ts'

export function gentleTo(
  { name, source }: { readonly name: string; readonly source: string },
  meter: TrafficMeter,
  log: Log,
): GentleHooks {
  return {
    clock: systemClock,
    onRest: ms => meter.rested(ms),
    onChange: (broker, now) => {
      const facts = { link: name, broker }
      if (now === undefined) {
        log.event('info', `broker ${broker} of "${source}" answers as fast as usual again`, facts)
        return
      }
      log.event(
        'warn',
        `broker ${broker} of "${source}" has become slow: fetches wait ${now.recentMs.toFixed()} ms for its answers, and usually ${now.usualMs.toFixed()} ms; kdr takes less from it until that is over`,
        facts,
      )
    },
  }
}
