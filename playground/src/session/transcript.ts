import { signal } from '@preact/signals'

export interface SpokenLine {
  kind: 'line'
  id: string
  who: 'user' | 'character'
  name: string
  text: string
  /** What was said no more, because somebody spoke. */
  cut: string
  state: 'open' | 'done' | 'interrupted'
}
export interface ToolLine {
  kind: 'tool'
  id: string
  name: string
  arguments: string
  output: string | null
  failed: boolean
  state: 'open' | 'done'
}
export interface NoteLine { kind: 'note', id: string, text: string, bad: boolean }
export type TranscriptLine = SpokenLine | ToolLine | NoteLine

/** The conversation as it is shown. */
export const transcript = signal<readonly TranscriptLine[]>([])

let notes = 0

/** Adds a line, or changes the one of this id. */
export function putLine<L extends TranscriptLine> (line: L): void {
  const lines = transcript.value
  const index = lines.findIndex(({ id }) => id === line.id)
  transcript.value = index === -1 ? [...lines, line] : lines.with(index, line)
}

export function findLine<K extends TranscriptLine['kind']> (kind: K, id: string): Extract<TranscriptLine, { kind: K }> | undefined {
  return transcript.value.find((line): line is Extract<TranscriptLine, { kind: K }> => line.kind === kind && line.id === id)
}

export function dropLine (id: string): void {
  transcript.value = transcript.value.filter(line => line.id !== id)
}

export function addNote (text: string, bad = false): void {
  putLine({ kind: 'note', id: `note_${++notes}`, text, bad })
}

/** Splits what was written at the end of what was heard. */
export function cutLine (line: SpokenLine, heard: string): SpokenLine {
  const whole = line.text + line.cut
  const end = whole.startsWith(heard) ? heard.length : Math.min(heard.length, whole.length)
  return { ...line, text: whole.slice(0, end), cut: whole.slice(end), state: 'interrupted' }
}
