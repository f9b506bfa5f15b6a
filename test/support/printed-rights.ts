// The rights that `kdr config acls` prints, as a test gives them to kdr's principal, and takes them away.
import { type AclTask, loadConfig, planAclsOf } from '../../src/config/index.ts'
import type { Grant } from '../../src/model/needed-rights.ts'
import type { Acl } from './judge.ts'
import type { TestLab } from './lab.ts'
import { adminOf, KDR_USER } from './link.ts'

export type Line = { readonly cluster: string; readonly grant: Grant; readonly acl: Acl }

const PRINCIPAL = `User:${KDR_USER.username}`

/** What `kdr config acls --for TASK` is made of. */
export async function printedLines(config: string, task: AclTask, hasClusterRights = true): Promise<Line[]> {
  return planAclsOf(await loadConfig(config), task, { hasClusterRights }).flatMap(({ cluster, grants }) =>
    grants.map(grant => {
      const { type, pattern, name, operation } = grant
      return { cluster, grant, acl: { type, pattern, name, principal: PRINCIPAL, operation } as Acl }
    }),
  )
}

/** Nobody may do anything else at these clusters. */
export async function giveExactly(
  lab: TestLab,
  clusters: readonly string[],
  lines: readonly Line[],
): Promise<void> {
  for (const name of clusters) {
    await lab.judge.deleteAcls({ ...adminOf(lab.cluster(name)) })
    const acls = lines.filter(line => line.cluster === name).map(({ acl }) => acl)
    await lab.judge.createAcls({ ...adminOf(lab.cluster(name)), acls })
  }
}

/** A broker learns of rules a moment after the controller. */
export const LEARNS_MS = 500

/** `east TOPIC READ`, `west _kdr.journal WRITE`. */
export const lineName = ({ cluster, grant: { type, name, operation } }: Line): string =>
  `${cluster} ${name.startsWith('_kdr.') ? name : type} ${operation}`
