/** The key for a server: the one that was given, or OpenAI's own for OpenAI. */
export function keyFor (url: string, key: string | undefined): string | undefined {
  return key ?? (new URL(url).hostname === 'api.openai.com' ? process.env.OPENAI_API_KEY : undefined)
}

/** What is asked of a server in its URL. */
export function queryFor (url: string, character?: string): Record<string, string> {
  return {
    // Every server of the protocol wants a model; this one takes any.
    ...new URL(url).searchParams.has('model') ? {} : { model: 'gpt-realtime' },
    ...character === undefined ? {} : { character }
  }
}
