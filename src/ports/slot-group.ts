// Who shares the work of a link: Kafka's own group coordinator, at the target, says who is alive and lets one of the
// members deal out the slots. A member holds the slots of the last assignment until a newer one, or until it is gone.

export type SlotMember = { readonly id: string; readonly held: readonly number[] }

/** Slots by member id: every slot once, every member. Called in the member that the coordinator has made the leader. */
export type AssignSlots = (members: readonly SlotMember[]) => ReadonlyMap<string, readonly number[]>

export interface SlotGroup {
  /**
   * Joins, or joins again after `rebalance`: resolves when every member has, or its time (`REBALANCE_MS`) is up. What is held
   * may be worked on meanwhile. 'gone': the coordinator had given this member up, and nothing is held any more.
   * Throws KdrError: unreachable, not-allowed.
   */
  join(held: readonly number[], assign: AssignSlots): Promise<readonly number[] | 'gone'>
  /** Whether the coordinator still counts this member. May be asked while `join` waits. Throws KdrError. */
  heartbeat(): Promise<'member' | 'rebalance' | 'gone'>
  /** Says good-bye, so that the others need not wait for the session to run out. Never throws. */
  leave(): Promise<void>
}

/** The coordinator gives a member up that has not beaten for this long: the least that brokers allow by default. */
export const SESSION_MS = 6_000
/** How long the others wait for a member to join again. */
export const REBALANCE_MS = 5_000
