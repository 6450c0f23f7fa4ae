import type { Page } from 'playwright-core'
import t from 'tap'
import { castOf, characterSource } from '../support/casts.js'
import { buildPages, chromiumPath, openBrowser, picture, skip } from '../support/browser.js'
import { startLocalServer } from '../support/server.js'
import { countWrongWords } from '../support/words.js'

if (chromiumPath === undefined) t.comment(String(skip))

// Talking is waiting: several do it at the same time.
t.test('people who talk', { skip, jobs: 2 }, async t => {
  const playground = await buildPages(t)
  const directory = t.testdir({
    ...castOf('Zoe'),
    'ada.ts': characterSource('Ada', 'greeting: "Hello.", examples: [{ user: "He was not an ill disposed young man", character: "That is what they say of him, and I am sure that they are right." }],')
  })
  const server = await startLocalServer(t, { playground, characters: { directory } })

  t.test('one click, and the character is heard; what is said is transcribed and answered aloud', async t => {
    const open = await openBrowser(t, { hears: [5, 'austen-0880', 60] })
    const { page, complaints, hosts } = await open(t, `${server.http}/`)
    await page.evaluate('window.clicks = 0; addEventListener("click", () => { window.clicks++ }, true)')
    await page.getByRole('button', { name: 'Start talking' }).click()
    await loud(page, 'Ada')
    await page.getByRole('log').getByText('Hello.').waitFor()

    const said = page.locator('.speech.user[data-state=done] p')
    await said.waitFor()
    t.ok(countWrongWords(await said.innerText(), 'he was not an ill disposed young man') <= 2, await said.innerText())
    await page.locator('.speech.character').nth(1).getByText(/^That is what they say of him, and I am sure that they are right\.$/).waitFor()
    await page.locator('.latency tbody tr').first().locator('td').last().getByText(/^\d+$/).waitFor()
    await loud(page, 'Ada')
    t.equal(await page.evaluate('window.clicks'), 1, 'from the first look to an answer that is heard; the browser\'s own question, which is answered for it here, makes it two')

    const figures = await page.locator('.paths').innerText()
    const [, ...turn] = (await page.locator('.latency tbody tr').first().innerText()).split(/\s+/)
    t.comment(`measured in the page: ${figures.replace(/\s+/g, ' ')}; end of speech to turn end, first word, first audio, heard: ${turn.join(', ')} ms`)
    t.same(complaints, [])
    t.same([...hosts], [new URL(server.http).host], 'no other host was asked for anything')
  })

  t.test('who speaks while the character does is heard, and what it did not get to say is struck out; that goes into the docs', async t => {
    const server = await startLocalServer(t, { playground })
    const open = await openBrowser(t, { hears: [4, 'austen-0880', 60] })
    const { page, complaints } = await open(t, `${server.http}/`, { width: 1280, height: 800 })
    await page.getByRole('button', { name: 'Start talking' }).click()
    const first = page.locator('.speech.character').first()
    await first.locator('del').waitFor()
    await page.locator('.speech.user[data-state=done]').waitFor()
    await page.locator('.speech.character').nth(1).waitFor()
    t.match(await first.locator('p').innerText(), /^Welcome to Lantern Street\./)
    t.match(await first.locator('del').innerText(), /who else you can talk to\.$/)
    await page.locator('.latency tbody tr').first().locator('td').last().getByText(/^\d+$/).waitFor()
    await loud(page, 'Wren')
    await picture(page, 'playground')
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.setViewportSize({ width: 390, height: 844 })
    await picture(page, 'playground-phone')
    await page.getByRole('searchbox').fill('conversation.item.truncated')
    await page.getByRole('button', { name: /conversation\.item\.truncated/ }).waitFor()
    t.same(complaints, [])
  })

  t.test('push-to-talk: what is said while the space bar is held is a turn', async t => {
    const open = await openBrowser(t, { hears: [...Array(8).fill('austen-0890'), 60] })
    const { page, complaints } = await open(t, `${server.http}/`)
    await page.getByText('Settings', { exact: true }).click()
    await page.getByRole('radio', { name: 'Push to talk' }).check()
    await page.getByText('Settings', { exact: true }).click()
    await page.getByRole('button', { name: 'Start talking' }).click()
    await page.getByText('Hold the button, or the space bar, and talk.').waitFor()
    await page.getByRole('heading', { level: 1 }).click()
    await page.keyboard.down(' ')
    await page.getByRole('button', { name: 'Listening…' }).waitFor()
    await loud(page, 'You')
    // Until there is something to be understood.
    await page.locator('.rows button', { hasText: 'input_audio_buffer.append' }).getByText(/×([89]\d|\d{3})/).first().waitFor()
    await page.keyboard.up(' ')
    await page.locator('.speech.user[data-state=done]').waitFor()
    await page.locator('.speech.character').nth(1).waitFor()
    t.same(complaints, [])
  })
})

/** Waits until somebody can be heard: the meter moves with the sound itself. */
async function loud (page: Page, name: string): Promise<void> {
  const meter = page.getByRole('meter', { name })
  while (Number(await meter.getAttribute('aria-valuenow')) <= 20) await page.waitForTimeout(20)
}
