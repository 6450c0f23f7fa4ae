import { effect, signal } from '@preact/signals'

export type Mode = 'hands-free' | 'push-to-talk'
export type Theme = 'auto' | 'light' | 'dark'

export interface Settings {
  mode: Mode
  theme: Theme
  /** Of the microphone; empty: the browser's choice. */
  deviceId: string
  /** Echo cancellation, noise suppression, automatic gain. */
  processing: boolean
  /** How the end of a turn is found. */
  detection: 'server_vad' | 'semantic_vad'
}

const NAME = 'dramatis'
const KEY = 'dramatis-key'

function read (): Settings {
  const defaults: Settings = { mode: 'hands-free', theme: 'auto', deviceId: '', processing: true, detection: 'server_vad' }
  try {
    return { ...defaults, ...JSON.parse(localStorage.getItem(NAME) ?? '{}') }
  } catch {
    return defaults
  }
}

export const settings = signal(read())

/** Not kept beyond the tab: other pages of this host may read what is. */
export const apiKey = signal(sessionStorage.getItem(KEY) ?? '')

export function change (some: Partial<Settings>): void {
  settings.value = { ...settings.value, ...some }
}

effect(() => {
  localStorage.setItem(NAME, JSON.stringify(settings.value))
  document.documentElement.dataset.theme = settings.value.theme
})
effect(() => sessionStorage.setItem(KEY, apiKey.value))
