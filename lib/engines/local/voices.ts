/** How a voice is made of one of Flite's. */
export interface FliteVoice {
  /** Flite's own voice. */
  base: 'slt' | 'rms' | 'awb' | 'kal16' | 'kal'
  /**
   * Size of the speaker: above 1 smaller, so pitch and formants go up together. Done by resampling,
   * the duration is made up for.
   */
  size?: number
  /** Mean pitch in Hz before `size`, where the base voice obeys it. */
  pitch?: number
  /** Duration as a multiple of the usual. */
  pace?: number
}

/**
 * The voices in the order in which they are given to characters without one: the clearest and most
 * unlike first. slt is a woman, rms a man, awb a Scotsman; kal16 and kal are an old-fashioned machine.
 */
export const fliteVoices: Readonly<Record<string, FliteVoice>> = {
  slt: { base: 'slt' },
  rms: { base: 'rms' },
  awb: { base: 'awb' },
  'slt-warm': { base: 'slt', size: 0.9, pitch: 155, pace: 1.05 },
  'rms-deep': { base: 'rms', size: 0.86 },
  'awb-brisk': { base: 'awb', size: 1.12, pace: 0.92 },
  'slt-young': { base: 'slt', size: 1.14, pitch: 190, pace: 0.96 },
  'rms-light': { base: 'rms', size: 1.14, pace: 0.95 },
  'awb-elder': { base: 'awb', size: 0.89, pace: 1.12 },
  kal16: { base: 'kal16' },
  'kal16-high': { base: 'kal16', size: 1.1, pitch: 140 },
  kal: { base: 'kal', pace: 1.05 }
}
