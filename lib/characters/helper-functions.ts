import type { CharacterHelpers } from './character.js'

const dates = new Map<string, Intl.DateTimeFormat>()

/** A formatter takes longer to make than to use. Locales are few, but authors could make them up: so bounded. */
function formatter (kind: 'date' | 'time', locale: string): Intl.DateTimeFormat {
  const key = `${kind} ${locale}`
  let format = dates.get(key)
  if (format === undefined) {
    if (dates.size >= 64) dates.clear()
    format = new Intl.DateTimeFormat(locale, kind === 'date' ? { dateStyle: 'full' } : { timeStyle: 'short' })
    dates.set(key, format)
  }
  return format
}

/** `context.helpers`, in a session's language. */
export function createHelpers (language: string | null): CharacterHelpers {
  const own = isLocale(language) ? language : 'en-GB'
  return Object.freeze({
    pick<T> (list: readonly T[]): T {
      if (list.length === 0) throw new RangeError('helpers.pick: the list is empty')
      return list[Math.floor(Math.random() * list.length)]!
    },
    date: (locale = own) => formatter('date', locale).format(),
    time: (locale = own) => formatter('time', locale).format(),
    join: (words: readonly string[], locale = own) => new Intl.ListFormat(locale).format(words)
  })
}

function isLocale (language: string | null): language is string {
  if (language === null) return false
  try {
    return Intl.getCanonicalLocales(language).length === 1
  } catch {
    return false
  }
}
