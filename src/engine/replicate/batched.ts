// Turns many calls for one partition each into few requests for many: while a request is under way the next callers
// gather, and go together when it returns. Not too many at once: whoever is answered goes on at once, and thousands of them
// would hold up the link's own beat.

const AT_ONCE = 200

/** `call` answers in the order of its items. */
export function batched<Item, Answer>(
  call: (items: readonly Item[]) => Promise<readonly Answer[]>,
): (item: Item) => Promise<Answer> {
  type Waiter = { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void }
  let waiting: Waiter[] = []
  let isBusy = false

  async function flush(): Promise<void> {
    isBusy = true
    // One turn of the microtask queue, so that callers of the same moment share the first request too.
    await Promise.resolve()
    while (waiting.length > 0) {
      const now = waiting.slice(0, AT_ONCE)
      waiting = waiting.slice(AT_ONCE)
      try {
        const answers = await call(now.map(waiter => waiter.item))
        now.forEach((waiter, index) => waiter.resolve(answers[index]!))
      } catch (error) {
        for (const waiter of now) waiter.reject(error)
      }
    }
    isBusy = false
  }

  return item =>
    new Promise<Answer>((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!isBusy) void flush()
    })
}
