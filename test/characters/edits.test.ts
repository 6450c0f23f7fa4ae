import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createLibrary, facts, never, writeCast } from './casts.js'

// Many edits under many sessions, by the same path that the watcher takes.

const files = (version: number) => ({
  'a.ts': `import { mark } from './resources/mark.js'\nexport default { name: 'A', voice: { source: 'file', path: 'a' }, instructions: { prompt: '' }, systemPrompt: () => 'a${version} ' + mark }\n`,
  'resources/mark.ts': `export const mark = 'm${version}'\n`
})

t.test('of 1,000 edits under 50 sessions every answer shows one whole version, and nothing is left of the others', async t => {
  const directory = writeCast(t, files(0))
  const { library } = createLibrary(t, directory)
  const sessions = await Promise.all(Array.from({ length: 50 }, (none, index) => library.open(facts(String(index)))))
  let asking: Promise<string> | null = null
  const hooks = { busy: () => asking !== null, idle: async () => { await asking } }
  let last = 0
  for (let edit = 1; edit <= 1000; edit++) {
    // One file of the two, as editors do: beside it, and then in its place
    const name = edit % 2 === 0 ? 'a.ts' : 'resources/mark.ts'
    writeFileSync(join(directory, 'new'), files(edit)[name])
    renameSync(join(directory, 'new'), join(directory, name))
    last = edit
    const session = sessions[edit % 50]!
    asking = session.first()!.systemPrompt(never).finally(() => { asking = null })
    const [before] = await Promise.all([asking, session.refresh(hooks)])
    const after = await session.first()!.systemPrompt(never)
    for (const text of [before, after]) {
      const [, character, mark] = /^a(\d+) m(\d+)$/.exec(text)!.map(Number)
      if (Math.abs(character! - mark!) > 1) t.fail(`a mixture of two versions: ${text}`)
    }
    t.equal(after, `a${last - last % 2} m${last - (last + 1) % 2}`)
  }
  await Promise.all(sessions.map(session => session.refresh(hooks)))
  t.equal(new Set(sessions.map(({ version }) => version)).size, 1)
  t.equal(library.live, 50, 'casts alive')
})
