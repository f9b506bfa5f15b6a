// The terminal's other screen, for as long as a page is open: what was on it before stands there again afterwards.
import type { Writer } from '../../app.ts'

const OPEN = '\u001b[?1049h\u001b[?25l'
const CLOSE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
/** A line is cleared before it is written: after a full one the cursor still stands on its last character. */
const CLEAR_LINE = '\u001b[2K'
const CLEAR_BELOW = '\u001b[J'

export class Screen {
  readonly #out: Writer

  constructor(out: Writer) {
    this.#out = out
    out.write(OPEN)
  }

  /** As many as terminals have where this one does not say. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#out.columns ?? 80, rows: this.#out.rows ?? 24 }
  }

  /** In place, so that it does not flicker; no more lines than there are rows. */
  draw(lines: readonly string[]): void {
    const { rows } = this.size
    const below = lines.length < rows ? `\r\n${CLEAR_BELOW}` : ''
    this.#out.write(`${HOME}${lines.map(line => `${CLEAR_LINE}${line}`).join('\r\n')}${below}`)
  }

  close(): void {
    this.#out.write(CLOSE)
  }
}
