import type { Picture } from './cards/picture.js'
import type { CharacterRegistry } from './registry.js'

/** A cast as those see it who choose a voice. */
export interface VoiceList {
  /** JSON. */
  voices: unknown
  /** By name. */
  pictures: ReadonlyMap<string, Picture>
}

/**
 * The characters of a cast, without those that are hidden. The cast is purged.
 *
 * @param pictureUrl where somebody's picture is to be had
 */
export async function listVoices (registry: CharacterRegistry, pictureUrl: (name: string) => string): Promise<VoiceList> {
  try {
    const pictures = new Map<string, Picture>()
    const voices = registry.names().flatMap(name => {
      const { voice, metadata, picture } = registry.find(name)!
      if (metadata?.good === false) return []
      if (picture !== undefined) pictures.set(name, picture)
      const description = 'description' in voice ? voice.description ?? null : null
      return [{ name, voice, metadata: metadata ?? {}, description, ...picture === undefined ? {} : { picture: pictureUrl(name) } }]
    })
    // A copy: what is kept must not keep the cast.
    return { voices: JSON.parse(JSON.stringify(voices)) as unknown, pictures }
  } finally {
    await registry.purge()
  }
}
