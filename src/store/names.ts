// Which names objects may have: what folders, buckets and URLs all take as it is.
import { InvariantViolation } from '../model/errors.ts'

const PART = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/

/** Names are made by kdr: a wrong one is a bug. */
export function assertObjectName(name: string): void {
  if (!name.split('/').every(part => PART.test(part)))
    throw new InvariantViolation('this is no name of an object', { name })
}
