// Which right is missing, where the worker has left what was refused and the broker's code: those who copy groups and move log starts
// know no more, and an operator wants the word that `kafka-acls` takes.

const RIGHTS: readonly (readonly [refused: RegExp, right: string])[] = [
  [/^offsets of group ".*" cannot be read at the source/s, 'DESCRIBE on the group at the source'],
  [
    /^offsets of group ".*" cannot be committed at the target/s,
    'READ on the group, and on its topics, at the target',
  ],
  [/^what is gone of group ".*" cannot be deleted at the target/s, 'DELETE on the group at the target'],
  [/: the log start cannot be moved to \d+ at the target/, 'DELETE on the topic at the target'],
]

/** The sentence itself when it names the right already. */
export function namingRight(sentence: string): string {
  const right = RIGHTS.find(([refused]) => refused.test(sentence))?.[1]
  return right === undefined ? sentence : `${sentence} (kdr needs ${right})`
}
