// What a commit tells whoever restores it.

/**
 * `recreated`: another topic of this name. `deleted`: the topic is gone, or no longer of the set. `lost`: [from, to) was deleted at the
 * source before it was taken. `truncated`: the source took [from, to) back. `unread`: [from, to) is there, and could not be read.
 * `renewed`: a compacted log was read anew, so that what has been superseded since is not restored.
 * `pending`: a transaction had commits of the group under way, and its offsets are those before it. `clock`: a clock was wrong.
 */
export type NoteKind =
  | 'recreated'
  | 'deleted'
  | 'lost'
  | 'truncated'
  | 'unread'
  | 'renewed'
  | 'pending'
  | 'clock'
