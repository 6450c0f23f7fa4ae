import { createDemoLlm } from './demo/llm.js'
import type { LlmEngine } from './engine.js'
import { createOpenAiLlm, type OpenAiLlmOptions } from './openai/llm.js'

/** Milliseconds that a server on this machine has to list its models. */
const PATIENCE = 1000
/** Longest list of models that is read, in characters. */
const LONGEST = 1_000_000

export interface Place { name: string, url: string }

/** Where model servers usually listen, in the order in which they are preferred. */
const USUAL: readonly Place[] = [
  { name: 'Ollama', url: 'http://127.0.0.1:11434/v1' },
  { name: 'llama.cpp', url: 'http://127.0.0.1:8080/v1' },
  { name: 'LM Studio', url: 'http://127.0.0.1:1234/v1' },
  { name: 'vLLM', url: 'http://127.0.0.1:8000/v1' }
]

/**
 * The language model that is there: the first model server of this machine that has a model, the demo brain
 * otherwise. It looks once, when it is started; until then, and where nothing is found, it is the demo brain.
 *
 * @param options for the server that is found; a `baseUrl` is looked at first; with a `model`, only a server that has it will do
 */
export function createAutoLlm (options: OpenAiLlmOptions = {}, usual: readonly Place[] = USUAL): LlmEngine {
  const places = options.baseUrl === undefined ? usual : [{ name: 'a model server', url: options.baseUrl.replace(/\/$/, '') }, ...usual]
  let chosen: LlmEngine = createDemoLlm()
  let report: string | undefined
  let starting: Promise<void> | undefined

  async function look (): Promise<void> {
    const found = await Promise.all(places.map(async place => ({ ...place, ...await listModels(place.url, options.apiKey) })))
    const place = found.find(({ models }) => options.model === undefined ? models.length > 0 : models.includes(options.model))
    if (place === undefined) {
      const ports = places.map(({ url }) => new URL(url).port).join(', ')
      report = `No language model found on this machine (ports ${ports})${options.model === undefined ? '' : ` that is ${options.model}`}: the demo brain answers.`
      const locked = found.find(({ locked }) => locked)
      if (locked !== undefined) report += ` ${locked.name} at ${locked.url} wants ${options.apiKey === undefined ? 'a key' : 'another key'} (LLM_API_KEY).`
      return
    }
    const model = options.model ?? place.models[0]!
    const more = place.models.length - 1
    report = `Found ${place.name} at ${place.url}: ${model} answers${more === 0 || options.model !== undefined ? '' : `, of ${place.models.length} models (LLM_MODEL names another)`}.`
    chosen = createOpenAiLlm({ ...options, baseUrl: place.url, model })
  }

  return {
    get name () { return chosen.name },
    get model () { return chosen.model },
    get about () { return report },
    start () {
      starting ??= look()
      return starting
    },
    check: async signal => { await chosen.check?.(signal) },
    close: async () => { await chosen.close?.() },
    generate: (request, options) => chosen.generate(request, options)
  }
}

/**
 * Models for chat that a server offers; none if there is no server, or only another of our own kind.
 * `locked`: it wants a key, and the one there is will not do. Nobody else is given that one.
 */
async function listModels (url: string, apiKey: string | undefined): Promise<{ models: string[], locked: boolean }> {
  try {
    let response = await get(`${url}/models`)
    if (response.status === 401 && apiKey !== undefined) response = await get(`${url}/models`, { authorization: `Bearer ${apiKey}` })
    const text = response.ok ? await response.text() : '{}'
    const { data } = (text.length > LONGEST ? {} : JSON.parse(text)) as { data?: unknown }
    const names = Array.isArray(data) ? data.flatMap(({ id }: { id?: unknown }) => typeof id === 'string' && !/embed/i.test(id) ? [id] : []) : []
    return { models: names.length > 0 && await isOurs(url) ? [] : names, locked: response.status === 401 }
  } catch {
    return { models: [], locked: false }
  }
}

/** Whether it is a server such as this one, which lists a model but has no chat. */
async function isOurs (url: string): Promise<boolean> {
  const response = await get(`${url}/health`)
  const health: unknown = response.ok ? await response.json().catch(() => null) : null
  return typeof health === 'object' && health !== null && 'stt_up' in health
}

function get (url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE) })
}
