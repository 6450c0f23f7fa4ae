/* eslint-disable no-template-curly-in-string -- sources of characters */
import t, { type Test } from 'tap'
import { change, character, createLibrary, facts, never, open, prompt, writeCast, type Opened } from './casts.js'
import type { CharacterRegistry } from '../../lib/characters/registry.js'

const limits = { asyncLoadMs: 300, settleMs: 100, disposeMs: 100 }

async function teams (t: Test): Promise<Opened & { registry: CharacterRegistry, winter: string }> {
  const winter = writeCast(t, { 'a.ts': character('winter'), 'b.ts': 'broken(' })
  const broken = writeCast(t, { 'a.ts': 'broken(', 'b.ts': 'export default 1' })
  const opened = createLibrary(t, { 'a.ts': character('default') }, { roots: { winter, broken }, limits })
  return { ...opened, winter, registry: await opened.library.open(facts()) }
}

t.test('a reload replaces the cast, and reports it', async t => {
  const { registry, library, events } = await teams(t)
  const report = await registry.reload('winter')
  t.match(report, {
    directory: 'winter',
    loaded_count: 1,
    error_count: 1,
    total_files: 2,
    duration_ms: Number,
    characters: [{ name: 'winter', good: null, comment: null }],
    errors: [{ file: 'b.ts', line: 1, column: 8, code: 'syntax_error', message: String }]
  })
  t.strictSame(Object.keys(report).sort(), ['characters', 'directory', 'duration_ms', 'error_count', 'errors', 'loaded_count', 'total_files'])
  t.strictSame(report, registry.report)
  t.strictSame(registry.names(), ['winter'])
  t.equal(registry.directory, 'winter')
  await new Promise(setImmediate)
  t.equal(library.live, 1)
  t.match(events.filter(({ type }) => type === 'loaded'), [{ reload: false }, { reload: true, directory: 'winter', count: 1, errors: 1 }])
})

t.test('a reload that cannot be done keeps the old cast', async t => {
  const { registry, library } = await teams(t)
  await t.rejects(registry.reload('broken'), {
    name: 'RealtimeError',
    code: 'no_valid_characters',
    param: 'directory',
    details: [{ file: 'a.ts', code: 'syntax_error' }, { file: 'b.ts', code: 'invalid_character' }]
  })
  await t.rejects(registry.reload('nowhere'), { code: 'directory_not_allowed', param: 'directory' })
  await t.rejects(registry.reload(undefined), { code: 'invalid_directory_format' })
  t.equal(await prompt(registry), 'prompt')
  t.equal(registry.directory, 'default')
  t.equal(library.live, 1)
})

t.test('a failing beforeSwap keeps the old cast', async t => {
  const { registry, library } = await teams(t)
  await t.rejects(registry.reload('winter', { beforeSwap: () => { throw new Error('no') } }), { message: 'no' })
  t.strictSame(registry.names(), ['default'])
  t.equal(library.live, 1)
})

t.test('a failing afterSwap is told, with the new cast in place', async t => {
  const { registry, library } = await teams(t)
  await t.rejects(registry.reload('winter', { afterSwap: () => { throw new Error('no') } }), { message: 'no' })
  t.strictSame(registry.names(), ['winter'])
  await new Promise(setImmediate)
  t.equal(library.live, 1)
})

t.test('the old cast answers until the swap, and never after', async t => {
  const { registry } = await teams(t)
  const old = registry.first()!
  let before, after
  await registry.reload('winter', {
    beforeSwap: () => { before = [registry.names(), old.systemPrompt(never).catch(({ name }) => name)] },
    afterSwap: () => { after = [registry.names(), old.systemPrompt(never).catch(({ name }) => name)] }
  })
  t.strictSame(await Promise.all(before!), [['default'], 'RealtimeError'], 'what begins before is aborted')
  t.strictSame(await Promise.all(after!), [['winter'], 'RealtimeError'], 'and nothing begins after')
  await t.rejects(old.runTool('x', {}, never), { name: 'RealtimeError' })
})

t.test('nobody else gets a turn between the hooks of a swap', async t => {
  const { registry } = await teams(t)
  const order: string[] = []
  const others = (when: string) => {
    process.nextTick(() => order.push(`tick after ${when}`))
    queueMicrotask(() => order.push(`microtask after ${when}`))
    order.push(`${when}: ${registry.names().join()}`)
  }
  await registry.reload('winter', { beforeSwap: () => others('before'), afterSwap: () => others('after') })
  t.strictSame(order.slice(0, 2), ['before: default', 'after: winter'])
})

t.test('reloads of one session run one after another, each answered', async t => {
  const { registry, library } = await teams(t)
  const order: string[] = []
  const results = await Promise.allSettled(['winter', 'broken', 'default', 'winter', 'nowhere', 'default'].map(async directory => {
    try {
      await registry.reload(directory, { beforeSwap: () => { order.push(directory) } })
    } finally {
      order.push(`/${directory}`)
    }
  }))
  t.strictSame(results.map(({ status }) => status === 'fulfilled'), [true, false, true, true, false, true])
  t.strictSame(order, ['winter', '/winter', '/broken', 'default', '/default', 'winter', '/winter', '/nowhere', 'default', '/default'])
  t.strictSame(registry.names(), ['default'])
  t.equal(library.live, 1)
})

t.test('the module state of a session starts anew with a reload', async t => {
  const { registry } = await open(t, { 'a.ts': character('a', { before: 'let n = 0', prompt: 'String(++n)' }) })
  t.equal(await prompt(registry), '1')
  t.equal(await prompt(registry), '2')
  await registry.reload('default')
  t.equal(await prompt(registry), '1')
})

t.test('closing during a load leaves nothing behind', async t => {
  const { registry, library, directory } = await teams(t)
  change(directory, { 'slow.ts': character('slow', { before: 'await new Promise(resolve => setTimeout(resolve, 50))' }) })
  const reloads = Promise.allSettled([registry.reload('default'), registry.reload('winter')])
  await registry.purge()
  for (const result of await reloads) t.match(result, { status: 'rejected', reason: { name: 'RealtimeError', code: 'session_expired' } })
  t.equal(library.live, 0)
  t.equal(registry.size, 0)
  await t.rejects(registry.reload('default'), { code: 'session_expired' }, 'and a purged registry is not reloaded')
})

t.test('closing in beforeSwap leaves nothing behind', async t => {
  const { registry, library } = await teams(t)
  const result = registry.reload('winter', { beforeSwap: () => { purged = registry.purge() } })
  let purged: Promise<void> | undefined
  await t.rejects(result, { code: 'session_expired' })
  await purged
  t.equal(library.live, 0)
})

t.test('a library that closes purges what is left, also what is still opening', async t => {
  const { library, directory, events } = createLibrary(t, { 'a.ts': character('a') }, { limits })
  await library.open(facts('one'))
  change(directory, { 'b.ts': character('b') })
  const opening = library.open(facts('two'))
  await library.close()
  const registry = await opening
  t.equal(registry.size, 0)
  t.equal(library.live, 0)
  t.equal(events.filter(({ type }) => type === 'purged').length, 2)
  await t.rejects(library.open(facts()), /closed/)
})

t.test('purge is idempotent, and ends running calls at once', async t => {
  const { registry, library } = await open(t, { 'a.ts': character('a', { body: 'await new Promise(resolve => context.signal.addEventListener(\'abort\', resolve)); return \'late\'' }) }, { limits })
  const result = registry.first()!.systemPrompt(never)
  const [one, two] = [registry.purge(), registry.purge()]
  await t.rejects(result, { name: 'RealtimeError' })
  await Promise.all([one, two])
  t.equal(library.live, 0)
})

t.test('the old namespace is purged only when nothing of it runs any more', async t => {
  const { registry, events } = await open(t, {
    'a.ts': character('a', {
      body: '(globalThis as any).process.emit(\'begun-for-test\'); await new Promise(resolve => setTimeout(resolve, 40)); (globalThis as any).process.emit(\'ended-for-test\'); return \'late\''
    })
  }, { limits: { ...limits, settleMs: 5000 } })
  let purgedBefore: boolean | undefined
  const ended = new Promise<void>(resolve => process.once('ended-for-test' as never, () => {
    purgedBefore = events.some(({ type }) => type === 'purged')
    resolve()
  }))
  const begun = new Promise<void>(resolve => process.once('begun-for-test' as never, resolve))
  const call = registry.first()!.systemPrompt(never)
  const settled = t.rejects(call, { name: 'RealtimeError' }, 'the session does not wait for it')
  // Prompts gather: one that has not begun when its cast goes never does
  await begun
  await registry.reload('default')
  await settled
  await ended
  t.equal(purgedBefore, false)
  await registry.purge()
  t.equal(events.filter(({ type }) => type === 'purged').length, 2)
})

t.test('fifty sessions that reload at random never see another cast', async t => {
  const roots: Record<string, string> = {}
  for (let n = 0; n < 10; n++) roots[`r${n}`] = writeCast(t, { 'a.ts': character('same', { before: 'import { mark } from \'./lib/mark.js\'\nlet calls = 0', prompt: '`${mark} ${++calls}`' }), 'lib/mark.ts': `export const mark = 'cast ${n}'` })
  const { library } = createLibrary(t, { 'a.ts': character('same', { prompt: '\'default 1\'' }) }, { roots })
  const wrong: string[] = []
  await Promise.all(Array.from({ length: 50 }, async (_, index) => {
    const registry = await library.open(facts(String(index)))
    for (let step = 0; step < 10; step++) {
      const n = (index * 7 + step * 3) % 10
      const other = registry.reload(`r${(n + 1) % 10}`)
      await registry.reload(`r${n}`)
      await other
      for (let call = 1; call <= 2; call++) {
        const said = await prompt(registry, 'same')
        if (said !== `cast ${n} ${call}`) wrong.push(said)
      }
    }
    await registry.purge()
  }))
  t.strictSame(wrong, [])
  t.equal(library.live, 0)
})
