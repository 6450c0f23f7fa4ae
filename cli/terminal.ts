import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Text in a colour, on a terminal whose user has not refused colours (`NO_COLOR`). */
export function paint (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text
}

/** One line on a terminal that tells how far something is; nothing where nobody looks. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  #drawnAt = -Infinity

  constructor (stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  /** @param done 0 to 1 */
  show (done: number, text: string): void {
    if (!this.#stream.isTTY || performance.now() - this.#drawnAt < 100) return
    this.#drawnAt = performance.now()
    const width = 24
    const full = Math.round(Math.min(1, Math.max(0, done)) * width)
    this.#stream.write(`\r\x1b[2K${paint('cyan', '█'.repeat(full), this.#stream)}${paint('gray', '░'.repeat(width - full), this.#stream)} ${text}`)
  }

  clear (): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[2K')
  }
}

/** Columns under a head, the first to the left and the others to the right. */
export function table (head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const line = (cells: string[]) => '  ' + cells.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  ').trimEnd()
  return [paint('bold', line(head)), ...rows.map(line)].join('\n') + '\n'
}
