import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import dramatis from '../../app.js'
import { readPages } from '../../lib/page-files.js'
import { v3 } from '../support/cards.js'
import { castOf, characterSource } from '../support/casts.js'
import { buildPages, chromiumPath, openBrowser, picture, skip, stillness } from '../support/browser.js'
import { cannedEngines, calls, echo, says, type Script } from '../support/engines.js'
import { startServer } from '../support/server.js'

if (chromiumPath === undefined) t.comment(String(skip))
// Many pages: on a busy machine they take longer than a file may by default.
t.setTimeout(300_000)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What is hard to use for people who do not see, hear or point as others do. @param rules default: all */
async function violations (page: Page, rules?: string[]): Promise<string[]> {
  if (await page.evaluate('typeof axe') === 'undefined') await page.evaluate(axe)
  const { violations } = await page.evaluate(`axe.run(${rules === undefined ? '' : JSON.stringify({ runOnly: rules })})`) as { violations: { id: string, nodes: { html: string }[] }[] }
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

async function write (page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Write instead of talking' }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

t.test('the page', { skip, jobs: 3 }, async t => {
  const playground = await buildPages(t)
  // One browser for all; each page is of somebody who was never here.
  const open = await openBrowser(t, { answers: 'no' })

  t.test('all that a first visit loads is small, kept by the browser, and allowed to ask this server alone', async t => {
    const server = await startServer(t, { playground })
    const { page, complaints, hosts } = await open(t, `${server.http}/`)
    await page.getByRole('button', { name: /^Magnus/ }).waitFor()
    const loaded = await page.evaluate('performance.getEntriesByType("resource").filter(({ name }) => !name.includes("/v1/")).map(({ name }) => new URL(name).pathname.slice(1))') as string[]
    const files = readPages(playground)
    const bytes = [...new Set(['index.html', ...loaded])].reduce((sum, name) => sum + (files.get(name)?.gzip.length ?? 0), 0)
    t.ok(bytes > 5000 && bytes < 150_000, `${bytes} bytes gzipped`)
    t.comment(`${bytes} bytes gzipped, loaded in ${Math.round(await page.evaluate('performance.getEntriesByType("navigation")[0].loadEventEnd') as number)} ms`)

    const response = await fetch(`${server.http}/`)
    t.match(response.headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/)
    t.equal((await fetch(`${server.http}/`, { headers: { 'if-none-match': response.headers.get('etag')! } })).status, 304)
    const script = await fetch(`${server.http}/${loaded.find(name => name.endsWith('.js'))}`)
    t.match(script.headers.get('cache-control'), /immutable/)
    t.equal((await fetch(`${server.http}/playground/../package.json`)).status, 404)
    t.same(complaints, [])
    t.same([...hosts], [new URL(server.http).host])
    t.same(await violations(page), [], 'before anything was said')
  })

  t.test('it is usable without sight or mouse, in the light, in the dark, and on a phone', async t => {
    const server = await startServer(t, { playground, ...cannedEngines(withTool) })
    const { page, complaints } = await open(t, `${server.http}/`)
    await write(page, 'Hello')
    await page.getByText('You said: Hello').waitFor()
    for (const [index, where] of ['in the light', 'in the dark', 'on a phone'].entries()) {
      await page.emulateMedia({ colorScheme: where === 'in the dark' ? 'dark' : 'light' })
      await page.setViewportSize(where === 'on a phone' ? { width: 390, height: 844 } : { width: 1440, height: 900 })
      await stillness(page)
      // In the dark only the colours are others.
      const rules = where === 'in the dark' ? ['color-contrast'] : undefined
      await page.getByText('Settings', { exact: true }).click()
      t.same(await violations(page, rules), [], `${where}, settings open`)
      await page.keyboard.press('Escape')
      await page.locator('.rows button').nth(index).click()
      t.same(await violations(page, rules), [], `${where}, in use`)
      t.notOk(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), `${where}, nothing is beyond the edge`)
    }
    t.same(complaints, [])
  })

  t.test('a tool is shown as it runs, and what went over the wire can be searched and read', async t => {
    const cast = { 'ada.ts': characterSource('Ada', 'tools: [{ name: \'bell\', description: \'Rings.\', parameters: { type: \'object\', properties: {} }, run: () => \'ding\' }],') }
    const server = await startServer(t, { playground, ...cannedEngines(withTool), characters: { directory: t.testdir(cast) } })
    const { page } = await open(t, `${server.http}/`)
    await write(page, 'Ring the bell')
    await page.getByText('Used bell').click()
    await page.getByText('ding', { exact: true }).waitFor()
    await page.getByText('It says ding.').waitFor()
    await page.getByRole('searchbox').fill('ring the bell')
    await page.getByRole('button', { name: /conversation\.item\.create/ }).click()
    t.match(await page.locator('pre').innerText(), /"text": "Ring the bell"/)
    await page.getByRole('combobox', { name: 'Direction' }).selectOption('received')
    t.equal(await page.locator('.rows').getByText('conversation.item.create', { exact: true }).count(), 0)
  })

  t.test('another character takes over, keeps the conversation, and a cast is loaded with its errors shown', async t => {
    const team = t.testdir({ good: { ...castOf('Ben'), 'broken.ts': 'const = 1\n' }, bad: { 'worse.ts': 'export default 1\n' } })
    const server = await startServer(t, { playground, characters: { roots: { team } } })
    const { page, complaints } = await open(t, `${server.http}/`)
    await write(page, 'Hello')
    await page.getByText('You said: Hello').waitFor()
    await page.getByRole('button', { name: /^Magnus/ }).click()
    await page.getByText('You are talking with Magnus now.').waitFor()
    t.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Magnus')
    await write(page, 'And you?')
    await page.locator('.speech.character', { hasText: 'You said: And you?' }).getByText('Magnus').waitFor()

    const load = async (directory: string) => {
      await page.getByRole('textbox', { name: 'Directory' }).fill(directory)
      await page.getByRole('button', { name: 'Load', exact: true }).click()
    }
    await load('team/good')
    await page.getByText(/^1 of 2 files loaded/).waitFor()
    t.match(await page.getByRole('list', { name: 'Errors in files' }).innerText(), /broken\.ts:1:7 syntax_error/)
    await page.getByRole('button', { name: /^Ben/ }).waitFor()
    t.equal(await page.getByRole('button', { name: /^Magnus/ }).count(), 0)

    await load('team/bad')
    await page.getByText(/has no valid character/).waitFor()
    t.same(await violations(page), [], 'errors included')
    t.match(await page.getByRole('list', { name: 'Errors in files' }).innerText(), /worse\.ts.*invalid_character/)
    await page.getByRole('button', { name: /^Ben/ }).waitFor()
    await load('nowhere')
    await page.getByText('The directory is outside of every root.').waitFor()
    await writeFile(join(team, 'good', 'broken.ts'), characterSource('Mended'))
    await load('team/good')
    await page.getByRole('button', { name: /^Mended/ }).waitFor()
    t.same(complaints, [])
  })

  t.test('a card shows its own picture, one whose picture is broken a drawn face, and voices are described', async t => {
    const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    const broken = Buffer.from('\x89PNG\r\n\x1a\nno more of it', 'latin1').toString('base64')
    const card = (name: string, base64: string) => JSON.stringify(v3(name, { assets: [{ type: 'icon', uri: `data:image/png;base64,${base64}`, name: 'main', ext: 'png' }] }))
    const cast = { 'ada.ts': characterSource('Ada').replace('source: \'file\'', 'description: \'As clear as a bell.\', source: \'file\''), 'keeper.json': card('Old Keeper', pixel), 'lost.json': card('Lost', broken) }
    const server = await startServer(t, { playground, characters: { directory: t.testdir(cast) } })
    const { page, hosts } = await open(t, `${server.http}/`)
    const keeper = page.getByRole('button', { name: /^Old Keeper/ })
    await keeper.locator('img').waitFor()
    t.equal(await page.evaluate('document.querySelector("img.face").decode().then(() => document.querySelector("img.face").naturalWidth)'), 1)
    await page.getByRole('button', { name: /^Lost/ }).locator('svg').waitFor()
    await page.getByRole('button', { name: /^Ada.*voice: As clear as a bell\./ }).waitFor()
    await keeper.click()
    await page.locator('.portrait img').waitFor()
    await write(page, 'Hello')
    await page.getByText('You said: Hello').waitFor()
    await keeper.locator('img').waitFor()
    t.same([...hosts], [new URL(server.http).host])
  })

  t.test('a cast that was loaded shows its voices and pictures, too, where a key is wanted', async t => {
    const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    const keeper = v3('Old Keeper', { assets: [{ type: 'icon', uri: `data:image/png;base64,${pixel}`, name: 'main', ext: 'png' }] })
    const team = t.testdir({ 'ada.ts': characterSource('Ada').replace('source: \'file\'', 'description: \'As clear as a bell.\', source: \'file\''), 'keeper.json': JSON.stringify(keeper) })
    const server = await startServer(t, { playground, apiKeys: ['sk-one'], characters: { roots: { team } } })
    const { page, complaints, hosts } = await open(t, `${server.http}/`)
    await page.getByText('Settings', { exact: true }).click()
    await page.getByLabel('API key').fill('sk-one')
    await page.getByRole('textbox', { name: 'Directory' }).fill('team')
    await page.getByRole('button', { name: 'Load', exact: true }).click()
    await page.getByRole('button', { name: /^Ada.*voice: As clear as a bell\./ }).waitFor()
    await page.getByRole('button', { name: /^Old Keeper/ }).locator('img').waitFor()
    t.equal(await page.evaluate('document.querySelector("img.face").decode().then(() => document.querySelector("img.face").naturalWidth)'), 1)
    t.same(complaints, [])
    t.same([...hosts].filter(host => host !== ''), [new URL(server.http).host])
  })

  t.test('the keyboard alone picks a character, writes and reads an event', async t => {
    const server = await startServer(t, { playground, ...cannedEngines() })
    const { page, complaints } = await open(t, `${server.http}/`)
    await page.getByRole('button', { name: /^Magnus/ }).waitFor()
    const tabTo = async (name: RegExp) => {
      for (let tabs = 0; tabs < 60; tabs++) {
        await page.keyboard.press('Tab')
        const focused = await page.evaluate('(element => [element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? "", element.textContent].join(" ").trim())(document.activeElement)') as string
        if (name.test(focused)) return
      }
      t.fail(`Tab never comes to ${name}`)
    }
    await tabTo(/^To the conversation/)
    await tabTo(/^Magnus/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Magnus' }).waitFor()
    await tabTo(/^Write instead/)
    await page.keyboard.type('Hello')
    await page.keyboard.press('Enter')
    await page.getByText('You said: Hello').waitFor()
    await tabTo(/^Filter events/)
    await page.keyboard.type('response.done')
    await tabTo(/^\d.*response\.done/)
    await page.keyboard.press('Enter')
    await page.locator('pre').getByText(/"type": "response.done"/).waitFor()
    t.same(complaints, [])
  })

  t.test('a microphone that is denied, or is gone, is explained, and one can write', async t => {
    const server = await startServer(t, { playground })
    const { page } = await open(t, `${server.http}/`)
    await page.getByRole('button', { name: 'Start talking' }).click()
    await page.getByRole('alert').getByText(/The microphone is blocked\. Allow it for this page/).waitFor()
    t.same(await violations(page), [])
    await write(page, 'Hello')
    await page.getByText('You said: Hello').waitFor()
    const { page: other } = await open(t, `${server.http}/`, { allowed: true, settings: { deviceId: 'gone' } })
    await other.getByRole('button', { name: 'Start talking' }).click()
    await other.getByRole('alert').getByText(/There is no microphone\. Plug one in or choose another in the settings/).waitFor()
  })

  t.test('in push-to-talk the return key begins a turn and ends it, and each button of the stage does its own thing', async t => {
    const server = await startServer(t, { playground })
    const { page, complaints } = await open(t, `${server.http}/`, { allowed: true, settings: { mode: 'push-to-talk' } })
    await page.getByRole('button', { name: 'Start talking' }).press(' ')
    const talk = page.locator('.talk')
    await talk.press('Enter')
    await page.getByRole('button', { name: 'Listening…', pressed: true }).waitFor()
    await page.locator('.rows button', { hasText: 'input_audio_buffer.append' }).getByText(/×([4-9]|\d\d)/).first().waitFor()
    await talk.press('Enter')
    await page.getByText('input_audio_buffer.committed', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'End', exact: true }).press(' ')
    await page.getByRole('button', { name: 'Start talking' }).waitFor()
    t.same(complaints, [])
  })

  t.test('a server that goes and comes back is found again, and told what was said', async t => {
    const engines = cannedEngines()
    const serve = async (port: number) => {
      const app = Fastify()
      await app.register(dramatis, { ...engines, playground, limits: { drainSeconds: 0 } })
      t.teardown(() => app.close())
      return { app, url: await app.listen({ host: '127.0.0.1', port }) }
    }
    const first = await serve(0)
    const { page } = await open(t, `${first.url}/`)
    await page.getByRole('button', { name: /^Magnus/ }).click()
    await write(page, 'Remember the otter')
    await page.getByText('You said: Remember the otter').waitFor()
    await first.app.close()
    await page.getByText(/Not connected, trying again|The server cannot be reached/).first().waitFor()
    await serve(Number(new URL(first.url).port))
    await page.getByText('Connected. Type something.').waitFor()
    t.equal(await page.getByRole('alert').innerText(), '')
    await write(page, 'What was it?')
    await page.getByText('You said: What was it?').waitFor()
    t.match(JSON.stringify(engines.llm.requests.at(-1)!.messages), /Remember the otter.*You said: Remember the otter.*What was it/)
    t.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Magnus', 'and it is still the same one')
  })

  t.test('a loaded cast is there again after a reconnect; where the server has it no more, its own takes over', async t => {
    const team = t.testdir({ team: castOf('Ben', 'Cleo'), other: castOf('Zoe') })
    const serve = async (characters: object, port = 0) => {
      const app = Fastify()
      await app.register(dramatis, { ...cannedEngines(), playground, characters, limits: { drainSeconds: 0 } })
      t.teardown(() => app.close())
      return { app, url: await app.listen({ host: '127.0.0.1', port }) }
    }
    const first = await serve({ roots: { team: join(team, 'team') } })
    const port = Number(new URL(first.url).port)
    const { page } = await open(t, `${first.url}/`)
    await page.getByRole('textbox', { name: 'Directory' }).fill('team')
    await page.getByRole('button', { name: 'Load', exact: true }).click()
    await page.getByRole('button', { name: /^Cleo/ }).click()
    await write(page, 'Hello')
    await page.locator('.speech.character', { hasText: 'You said: Hello' }).getByText('Cleo').waitFor()

    await first.app.close()
    await page.getByRole('button', { name: 'Try now' }).waitFor()
    const second = await serve({ roots: { team: join(team, 'team') } }, port)
    await page.getByText('Connected. Type something.').waitFor()
    t.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Cleo')
    t.equal(await page.locator('.card').count(), 2)

    await second.app.close()
    await page.getByRole('button', { name: 'Try now' }).waitFor()
    await serve({ directory: join(team, 'other') }, port)
    await page.getByRole('heading', { level: 1, name: 'Zoe' }).waitFor()
    await page.getByText('Connected. Type something.').waitFor()
    t.equal(await page.locator('.card').count(), 1)
  })

  t.test('a server that is full says so, and takes the page in as soon as there is a place', async t => {
    const server = await startServer(t, { playground, limits: { sessions: 1 } })
    const other = await server.connect()
    const { page } = await open(t, `${server.http}/`)
    await write(page, 'Hello')
    await page.getByRole('alert').getByText('All places on the server are taken. The page tries again by itself.').waitFor()
    other.socket.close()
    await other.closed
    await page.getByText('You said: Hello').waitFor()
    t.equal(await page.getByRole('alert').innerText(), '')
  })

  t.test('names and words of any length stay within a page as narrow as a phone', async t => {
    const name = 'Archibald Featherstonehaugh-Cholmondeley the Third of Saxe-Coburg-Gotha-Altenburg'
    const directory = t.testdir({ 'a.ts': characterSource(name), 'b.ts': characterSource('Super'.repeat(30)), 'broken.ts': 'const = 1\n' })
    const server = await startServer(t, { playground, characters: { directory } })
    const { page } = await open(t, `${server.http}/`, { width: 360, height: 740 })
    await page.getByRole('button', { name: 'Load', exact: true }).click()
    await page.getByText(/^2 of 3 files loaded/).waitFor()
    await write(page, 'word'.repeat(60))
    await page.getByText(/^You said: word/).waitFor()
    t.notOk(await page.evaluate('document.documentElement.scrollWidth > innerWidth'))
    t.same(await page.evaluate('[...document.querySelectorAll(".card, .who, .lines, .reload")].filter(one => one.scrollWidth > one.clientWidth).map(one => one.className)'), [])

    const { page: admin } = await open(t, `${server.http}/admin`, { width: 360, height: 740 })
    await admin.getByRole('cell', { name }).waitFor()
    t.notOk(await admin.evaluate('document.documentElement.scrollWidth > innerWidth'))
    t.ok(await admin.evaluate('document.querySelector(".file-errors").getBoundingClientRect().right < innerWidth'))
  })

  t.test('the operator sees who is connected, closes a session, and drains the server', async t => {
    const team = t.testdir({ ...castOf('Ben'), 'broken.ts': 'const = 1\n' })
    const server = await startServer(t, { playground, apiKeys: ['sk-one'], characters: { roots: { team } } })
    const authorization = 'Bearer sk-one'
    const [first, second] = [await server.connect('?characters=team', [], { authorization }), await server.connect('?character=Magnus', [], { authorization })]
    const { page, complaints } = await open(t, `${server.http}/admin`)
    await page.getByRole('alert').getByText('This server wants an API key.').waitFor()
    await page.getByLabel('API key').fill('sk-one')
    await page.getByLabel('API key').press('Enter')
    await page.getByRole('cell', { name: 'Magnus' }).waitFor()
    t.match(await page.getByRole('list', { name: 'Errors in files' }).innerText(), /broken\.ts:1:7 syntax_error/)
    t.match(await page.locator('.summary').innerText(), /memory\s+\d+ MB/)
    const shown = await page.getByRole('row', { name: second.of('session.created')[0]!.session.id }).innerText()
    for (const part of ['key “#1”', 'default (', 'idle', '0.0 KB', 'KB/s']) t.ok(shown.includes(part), `${part} in ${shown}`)
    const { data } = await (await fetch(`${server.http}/v1/sessions`, { headers: { authorization } })).json() as { data: { version: string }[] }
    t.ok(shown.includes(data[1]!.version.slice(0, 8)), 'the version of its cast')
    await picture(page, 'admin')
    t.same(await violations(page), [])

    await page.getByRole('button', { name: `Close ${first.of('session.created')[0]!.session.id}` }).click()
    t.match(await first.closed, { code: 1001, reason: 'closed by the operator' })
    await page.getByRole('cell', { name: 'team (1)' }).waitFor({ state: 'detached' })
    await page.route('**/v1/drain', route => route.fulfill({ status: 429, json: { error: { message: 'Too often.' } } }), { times: 1 })
    await page.getByRole('button', { name: 'Drain…' }).click()
    await page.getByRole('button', { name: 'Drain now' }).click()
    await page.getByRole('alert').getByText('The server refused: Too often.').waitFor()
    await page.waitForResponse(/v1\/sessions/)
    t.equal(await page.getByRole('alert').innerText(), 'The server refused: Too often.', 'it stays until something else is asked for')
    await page.getByRole('button', { name: 'Drain now' }).click()
    t.match(await second.closed, { code: 1001, reason: 'server shutting down' })
    await page.getByText('The server is draining').waitFor()
    await page.getByText('Nobody is connected.').waitFor()
    // The browser itself notes the answer to the look without a key.
    t.same(complaints.filter(text => !/401|429|503/.test(text)), [])
  })

  t.test('a server that wants a key says so, under any prefix', async t => {
    const app = Fastify()
    await app.register(dramatis, { prefix: '/ai', ...cannedEngines(), playground, apiKeys: ['sk-one'], limits: { drainSeconds: 0 } })
    t.teardown(() => app.close())
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const { page } = await open(t, `${url}/ai`, { allowed: true })
    await write(page, 'Hello')
    await page.getByRole('alert').getByText(/wants an API key: enter one in the settings/).waitFor()
    await page.getByText('Settings', { exact: true }).click()
    await page.getByLabel('API key').fill('sk-two')
    await write(page, 'Hello again')
    await page.getByRole('alert').getByText(/refuses this API key/).waitFor()
    await page.getByRole('button', { name: 'Enter a key' }).click()
    await page.keyboard.type('sk-one')
    await page.keyboard.press('Enter')
    await page.getByText('Listening. Just talk.').waitFor()
    await write(page, 'And again')
    await page.getByText('You said: And again').waitFor()
    t.pass()
  })
})

t.test('an embedder may leave the pages out, or have a page of its own', async t => {
  const off = await startServer(t, { playground: false })
  for (const path of ['/', '/admin', '/playground-icon.svg']) t.equal((await fetch(off.http + path)).status, 404, path)
  const app = Fastify()
  app.get('/', async () => 'mine')
  await app.register(dramatis, { ...cannedEngines(), limits: { drainSeconds: 0 } })
  t.teardown(() => app.close())
  t.equal((await app.inject('/')).body, 'mine')
  t.match((await app.inject('/v1/models')).statusCode, 200)
  await unbuilt(t)
})

async function unbuilt (t: Test): Promise<void> {
  const server = await startServer(t, { playground: t.testdir({}) })
  t.match(await (await fetch(`${server.http}/`)).text(), /npm run build/)
}

/** Rings the bell if asked to, else says what was said. */
function withTool (...[request, signal]: Parameters<Script>): ReturnType<Script> {
  const last = request.messages.at(-1)
  if (last?.role === 'tool') return says(`It says ${last.content}.`)
  return request.tools?.some(tool => tool.name === 'bell') === true ? calls('bell', {}) : echo(request, signal)
}
