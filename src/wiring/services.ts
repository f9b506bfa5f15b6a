// The engines as commands get them. Each behind a dynamic import: `kdr --help` must not wait for the Kafka client.

import type { Services } from '../cli/app.ts'
import { chooseLinks } from './choose-links.ts'
import { systemClock } from './system.ts'

export const services: Services = {
  inspectCluster: async cluster => await (await import('./inspect.ts')).inspectCluster(cluster, systemClock),
  describeCluster: async (config, name) =>
    await (await import('./describe-cluster.ts')).describeCluster(config, name),
  chooseLinks,
  startLink: async (config, link, options) =>
    await (await import('./links.ts')).startLink(config, link, options),
  serve: async options => (await import('../api/server.ts')).serve({ ...options, clock: systemClock }),
  alertChannels: {
    request: async (url, json) =>
      await (await import('./alert-channels.ts')).alertChannels.request(url, json),
    run: async (config, command, given) =>
      await (await import('./alert-channels.ts')).alertChannels.run(config, command, given),
  },
  watchCluster: async (config, name, options) =>
    (await import('./monitor.ts')).watchCluster(config, name, options),
  check: async (config, options) => await (await import('./check.ts')).check(config, options),
  fixFindings: async (config, findings, reason) =>
    await (await import('./check-fix.ts')).fixFindings(config, findings, reason),
  probeCluster: async (config, name, signal) =>
    await (await import('./check-probe.ts')).probeCluster(config, name, signal),
  readLinkStatus: async (config, link) => await (await import('./links.ts')).readLinkStatus(config, link),
  withLink: async (config, link, act) => await (await import('./open-link.ts')).withLink(config, link, act),
  withMemory: async (config, link, act) =>
    await (await import('./link-memory.ts')).withMemory(config, link, act),
  withRun: async (config, link, options, act) =>
    await (await import('./runs.ts')).withRun(config, link, options, act),
  withPlanRun: async (config, plan, options, act) =>
    await (await import('./plans.ts')).withPlanRun(config, plan, options, act),
  withFollow: async (config, link, cluster, act) =>
    await (await import('./fan-out.ts')).withFollow(config, link, cluster, act),
  withHandOver: async (config, links, options, act) =>
    await (await import('./hand-over.ts')).withHandOver(config, links, options, act),
  readPlanRun: async (config, run) => await (await import('./plan-history.ts')).readPlanRun(config, run),
  abortPlanRun: async (config, run, options) =>
    await (await import('./plans.ts')).abortPlanRun(config, run, options),
  listRuns: async (config, onSilent) =>
    await (await import('./plan-history.ts')).listAllRuns(config, onSilent),
  withReplay: async (config, run, options, act) =>
    await (await import('./replay.ts')).withReplay(config, run, options, act),
  isAtHome: async (config, link) => await (await import('./failback.ts')).isAtHome(config, link),
  readRun: async (config, run) => await (await import('./run-history.ts')).readRun(config, run),
  withVault: async (config, vault, act) => await (await import('./vaults.ts')).withVault(config, vault, act),
  withSet: async (config, set, act) => await (await import('./vaults.ts')).withSet(config, set, act),
  readSetStatus: async (config, set) => await (await import('./set-status.ts')).readSetStatus(config, set),
  followSet: async (config, set, options) => (await import('./sets.ts')).followSet(config, set, options),
  withRestore: async (config, options, act) =>
    await (await import('./restore.ts')).withRestore(config, options, act),
  abortRun: async (config, run, options) => await (await import('./runs.ts')).abortRun(config, run, options),
}
