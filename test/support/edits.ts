/** Files that are edited while sessions talk, and what their answers tell of the versions that they saw. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { textOf, type TestClient } from './client.js'

/** A character whose prompt tells the version of its own file and of a helper: even edits change the one, odd ones the other. */
const files: Record<string, (edit: number) => string> = {
  'a.ts': edit => `import { mark } from './resources/mark.js'\nexport default { name: 'A', voice: { source: 'file', path: 'a' }, instructions: { prompt: '' }, systemPrompt: () => 'a${edit} ' + mark }\n`,
  'resources/mark.ts': edit => `export const mark = 'm${edit}'\n`
}

export function writeEdited (directory: string): string {
  mkdirSync(join(directory, 'resources'), { recursive: true })
  write(directory, 'a.ts', 0)
  write(directory, 'resources/mark.ts', -1)
  return directory
}

/** As editors do it: beside the file, and then in its place. */
function write (directory: string, name: string, edit: number): void {
  const path = join(directory, name)
  const beside = join(dirname(path), '.new')
  writeFileSync(beside, files[name]!(edit))
  renameSync(beside, path)
}

/** Between two questions of a client, at most: its own work must not keep it from the answers. */
const ASK_MS = 100

export interface Edited {
  turns: number
  /** Turns that saw one file of one version of the directory and the other of another. */
  mixed: number
  /** Turns that saw an older version than the one before. */
  backwards: number
  /** Versions that a turn saw. */
  versions: number
  /** Milliseconds from the last edit until every session answered with it. */
  settledMs: number
}

/** Edits files while every client asks, until all answer with the last edit. */
export async function editUnder (clients: readonly TestClient[], { directory, from = 0, edits, pauseMs }: { directory: string, from?: number, edits: number, pauseMs: (edit: number) => number }): Promise<Edited> {
  const seen = { turns: 0, mixed: 0, backwards: 0 }
  const versions = new Set<number>()
  let waiting = clients.length
  const asking = Promise.all(clients.map(async client => {
    for (let before = from; before < edits;) {
      const [, own, mark] = /a(-?\d+) m(-?\d+)/.exec(await ask(client))!.map(Number)
      const version = Math.max(own!, mark!)
      seen.turns++
      if (Math.abs(own! - mark!) !== 1) seen.mixed++
      if (version < before) seen.backwards++
      versions.add(before = version)
      client.forget()
      await sleep(ASK_MS * Math.random())
    }
    waiting--
  }))
  for (let edit = from + 1; edit <= edits; edit++) {
    write(directory, edit % 2 === 0 ? 'a.ts' : 'resources/mark.ts', edit)
    await sleep(pauseMs(edit))
  }
  const last = performance.now()
  const settled = await Promise.race([asking.then(() => true), sleep(30_000, false, { ref: false })])
  if (!settled) throw new Error(`${waiting} of ${clients.length} sessions never saw the last edit.`)
  return { ...seen, versions: versions.size, settledMs: performance.now() - last }
}

async function ask (client: TestClient): Promise<string> {
  client.send({ type: 'response.create', response: { output_modalities: ['text'], conversation: 'none', input: [] } })
  const { response } = await client.next('response.done')
  return textOf(response)
}
