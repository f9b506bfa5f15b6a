// ACLs follow the source, but for those that would let somebody else write to mirrors (acl-plan.ts). What kdr is about to put
// at the target is remembered first, so that a crash in between leaves no rule there that nobody takes away again.
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import {
  aclBuckets,
  aclKey,
  type AclMemory,
  type AclRule,
  type AclsReport,
  type HeldAcl,
  readAcls,
} from '../../model/rights.ts'
import type { RightsAdmin } from '../../ports/rights.ts'
import { type AclPlan, type Mirrors, planAcls, planRelease } from './acl-plan.ts'
import {
  assertAnswered,
  missingRight,
  remember,
  type RightsContext,
  RightsReporter,
  whatIsLacking,
} from './report.ts'

export type AclSide = Pick<RightsAdmin, 'describeAcls' | 'createAcls' | 'deleteAcls'> & {
  readonly name: string
}

export type AclSyncInput = RightsContext & {
  readonly source: AclSide
  readonly target: AclSide
  /** How principals of the source are called at the target. */
  readonly principals: Readonly<Record<string, string>>
  /** kdr's own, at either side. */
  readonly own: ReadonlySet<string>
  /** Keys of rules that kdr itself has put at the source: for a link that leads there, or to fence applications. */
  readonly fromElsewhere: () => Promise<ReadonlySet<string>>
  readonly mirrors: () => Mirrors
}

type Rules = { readonly rules: readonly AclRule[] } | { readonly report: Omit<AclsReport, 'synced'> }

export class AclSync {
  readonly #input: AclSyncInput
  readonly #reporter: RightsReporter<'acls'>

  constructor(input: AclSyncInput) {
    this.#input = input
    this.#reporter = new RightsReporter(input, 'acls')
  }

  /** Throws KdrError: unreachable, other-controller. */
  async round(): Promise<void> {
    const sentence = await whatIsLacking(async () => await this.#follow())
    if (sentence !== undefined) await this.#tell({ state: 'refused', sentence })
  }

  async #follow(): Promise<void> {
    const { store, link, principals, own } = this.#input
    await store.refresh()
    const at = await this.#rulesOfSource()
    if ('report' in at) return await this.#tell(at.report)
    const there = await this.#rulesOfTarget(at.rules.length)
    if ('report' in there) return await this.#tell(there.report)
    const plan = planAcls({
      source: at.rules,
      target: there.rules,
      applied: readAcls(store, link).applied,
      principals,
      own,
      fromElsewhere: await this.#input.fromElsewhere(),
      mirrors: this.#input.mirrors(),
    })
    await this.#tell(await this.#carryOut(plan))
  }

  /** What is not at the target, and why. */
  heldBack(): readonly HeldAcl[] {
    return [...readAcls(this.#input.store, this.#input.link).held.values()]
  }

  /**
   * Puts in force what was held back for topics that are mirrors no more (promote). `mirrors`: what still is one. The source
   * is not asked: it may be gone. Returns what was added.
   */
  async release(mirrors: Mirrors): Promise<readonly AclRule[]> {
    const { store, link } = this.#input
    await store.refresh()
    const memory = readAcls(store, link)
    const there = await this.#rulesOfTarget(memory.held.size)
    if ('report' in there) {
      await this.#tell(there.report)
      return []
    }
    const plan = planRelease(memory, there.rules, mirrors)
    await this.#tell(await this.#carryOut(plan))
    return plan.add
  }

  async #rulesOfSource(): Promise<Rules> {
    const { name } = this.#input.source
    const answer = await this.#input.source.describeAcls()
    if (answer.code === KafkaCode.SECURITY_DISABLED)
      return {
        report: {
          state: 'off',
          sentence: `cluster "${name}" has no authorizer: there are no ACLs to follow`,
        },
      }
    return this.#rulesIn(answer, name)
  }

  /** `count`: how many there would be to put there. */
  async #rulesOfTarget(count: number): Promise<Rules> {
    const { name } = this.#input.target
    const answer = await this.#input.target.describeAcls()
    if (answer.code !== KafkaCode.SECURITY_DISABLED) return this.#rulesIn(answer, name)
    const sentence = `cluster "${name}" has no authorizer: there it is open to everybody what ${count} ACL(s) say at "${this.#input.source.name}"`
    return { report: count === 0 ? { state: 'off' } : { state: 'refused', sentence } }
  }

  #rulesIn(answer: Awaited<ReturnType<AclSide['describeAcls']>>, cluster: string): Rules {
    const sentence = missingRight(answer, { may: 'read the ACLs', cluster, right: 'DESCRIBE' })
    if (sentence !== undefined) return { report: { state: 'refused', sentence } }
    assertAnswered(answer, 'ACLs', cluster)
    return { rules: answer.rules }
  }

  async #carryOut(plan: AclPlan): Promise<AclsReport> {
    const { store, link, target, assertControl, log } = this.#input
    const { applied } = readAcls(store, link)
    // Those that are about to come, and those that are about to go.
    await this.#remember({ ...plan.memory, applied: new Map([...applied, ...plan.memory.applied]) })
    const denials = plan.add.filter(({ permission }) => permission === 'DENY')
    const failed = new Map<string, string>()
    const act = async (verb: 'createAcls' | 'deleteAcls', rules: readonly AclRule[]) => {
      if (rules.length === 0) return
      await assertControl()
      const outcomes = await target[verb](rules)
      for (const [index, rule] of rules.entries()) {
        const { code, message } = outcomes[index]!
        const asked = { may: 'change the ACLs', cluster: target.name, right: 'ALTER' }
        const why = missingRight({ code }, asked) ?? `${codeName(code)} ${message ?? ''}`.trim()
        if (code !== KafkaCode.NONE) failed.set(aclKey(rule), why)
      }
    }
    // What is forbidden first, and what is no longer allowed, before anything new is allowed.
    await act('createAcls', denials)
    await act('deleteAcls', plan.remove)
    await act(
      'createAcls',
      plan.add.filter(rule => !denials.includes(rule)),
    )
    const kept = plan.remove.filter(rule => failed.has(aclKey(rule)))
    const isThere = ([key]: readonly [string, AclRule]) => !failed.has(key)
    await this.#remember({
      held: plan.memory.held,
      applied: new Map([
        ...[...plan.memory.applied].filter(isThere),
        ...kept.map(rule => [aclKey(rule), rule] as const),
      ]),
    })
    const [added, removed] = [plan.add, plan.remove].map(
      rules => rules.filter(rule => !failed.has(aclKey(rule))).length,
    ) as [number, number]
    if (added + removed > 0)
      log.event(
        'info',
        `link "${link}": ACLs at "${target.name}": ${added} added, ${removed} taken away, ${plan.memory.held.size} held back`,
      )
    return reportOf(plan, failed, target.name)
  }

  async #remember(memory: AclMemory): Promise<void> {
    const { link } = this.#input
    await remember(this.#input, { kind: 'acls', prefix: `acls/${link}/`, buckets: aclBuckets(memory) })
  }

  /** What is in force stays so while nothing can be done about it. */
  async #tell(report: Omit<AclsReport, 'synced'> & Partial<AclsReport>): Promise<void> {
    await this.#reporter.tell({ synced: this.#reporter.last?.synced ?? 0, ...report })
  }
}

function reportOf(plan: AclPlan, failed: ReadonlyMap<string, string>, target: string): AclsReport {
  const synced = plan.wanted.filter(rule => !failed.has(aclKey(rule))).length
  const [first] = failed
  if (first === undefined) return { state: 'followed', synced }
  const [key, why] = first
  const sentence = why.startsWith('kdr may not')
    ? `${why}; ${failed.size} ACL(s) are not as at the source`
    : `cluster "${target}" refuses ${failed.size} ACL(s), the first of them ${key}: ${why}`
  return { state: 'refused', synced, sentence }
}
