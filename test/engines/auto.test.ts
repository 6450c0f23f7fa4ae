import t, { type Test } from 'tap'
import type { LlmEvent } from '../../lib/engines/engine.js'
import { createAutoLlm } from '../../lib/engines/auto.js'
import { startChatServer } from '../support/chat-server.js'
import { startServer } from '../support/server.js'

async function places (t: Test, ...models: string[][]) {
  const servers = await Promise.all(models.map(startChatServer))
  for (const [i, server] of servers.entries()) server.models = models[i]!
  t.teardown(() => Promise.all(servers.map(server => server.close())))
  return servers.map((server, i) => ({ name: `Server ${i + 1}`, url: server.url, server }))
}

async function answer (events: AsyncIterable<LlmEvent>): Promise<string> {
  let text = ''
  for await (const event of events) if (event.type === 'text') text += event.delta
  return text
}

const ask = { messages: [{ role: 'user' as const, content: 'Hi' }], tools: [], toolChoice: 'auto' as const }

t.test('the first server with a model for chat answers, and it says which', async t => {
  const [empty, only, other] = await places(t, ['nomic-embed-text'], ['small', 'large'], ['third'])
  const llm = createAutoLlm({}, [empty!, only!, other!])
  t.teardown(() => llm.close?.())
  await llm.start!()
  t.equal(llm.about, `Found Server 2 at ${only!.url}: small answers, of 2 models (LLM_MODEL names another).`)
  t.same([llm.name, llm.model], ['openai', 'small'])
  t.equal(await answer(llm.generate(ask, { signal: new AbortController().signal })), 'Hello there.')
})

t.test('a model that is named is looked for', async t => {
  const all = await places(t, ['small'], ['large'])
  const llm = createAutoLlm({ model: 'large' }, all)
  t.teardown(() => llm.close?.())
  await llm.start!()
  t.equal(llm.about, `Found Server 2 at ${all[1]!.url}: large answers.`)
})

t.test('a server that wants a key is given it, and nobody else is', async t => {
  const [open, locked] = await places(t, ['nomic-embed-text'], ['large'])
  locked!.server.key = 'sk-local'
  const find = async (apiKey?: string) => {
    const llm = createAutoLlm({ apiKey }, [open!, locked!])
    t.teardown(() => llm.close?.())
    await llm.start!()
    return llm
  }
  const llm = await find('sk-local')
  t.equal(llm.about, `Found Server 2 at ${locked!.url}: large answers.`)
  t.equal(await answer(llm.generate(ask, { signal: new AbortController().signal })), 'Hello there.')
  t.same(open!.server.modelRequests.map(({ headers }) => headers.authorization), [undefined])
  t.match((await find()).about, `the demo brain answers. Server 2 at ${locked!.url} wants a key (LLM_API_KEY).`)
  t.match((await find('sk-other')).about, `the demo brain answers. Server 2 at ${locked!.url} wants another key (LLM_API_KEY).`)
})

t.test('without any, or with none but another server of this kind, the demo brain answers', async t => {
  const [gone] = await places(t, ['small'])
  const other = await startServer(t)
  const nowhere = createAutoLlm({}, [{ name: 'Nobody', url: 'http://127.0.0.1:1/v1' }, { name: 'Us', url: `${other.http}/v1` }])
  await nowhere.start!()
  t.match(nowhere.about, /^No language model found on this machine \(ports 1, \d+\): the demo brain answers\.$/)
  t.equal(nowhere.name, 'demo')
  t.match(await answer(nowhere.generate(ask, { signal: new AbortController().signal })), /\S/)
  const wanted = createAutoLlm({ model: 'large' }, [gone!])
  await wanted.start!()
  t.match(wanted.about, /that is large: the demo brain answers\.$/)
})
