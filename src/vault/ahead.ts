// Many small reads, one behind the other, would take as many round trips to a bucket.

/** The results of `act` in the order of `items`, at most `width` of them under way. */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  width: number,
  act: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = []
  for (const item of items) {
    const each = act(item)
    // Whoever takes it gets the failure; nobody may come to take it.
    each.catch(() => undefined)
    underWay.push(each)
    if (underWay.length >= width) yield await underWay.shift()!
  }
  for (const each of underWay) yield await each
}

export function* numbersFrom(first: number, last: number): Generator<number> {
  for (let number = first; number <= last; number++) yield number
}
