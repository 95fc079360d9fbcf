// The voice of the browser, and the sounds of signals.

let audio = null;

// Browsers let a page sound only once the person has done something on it.
export function unlockSound() {
  audio ||= new (window.AudioContext || window.webkitAudioContext)();
  audio.resume();
}

// Each sound: tones of a frequency in Hz, one after the other, each as long as the second number in s.
const SOUNDS = {
  tick: [[880, 0.06]], low: [[220, 0.25]], "double-low": [[220, 0.12], [220, 0.18]], rising: [[330, 0.12], [520, 0.18]],
  stop: [[440, 0.15], [330, 0.15], [220, 0.35]], fanfare: [[523, 0.12], [659, 0.12], [784, 0.3]], bell: [[660, 0.15], [660, 0.15], [880, 0.3]],
};

export function play(name) {
  unlockSound();
  let at = audio.currentTime;
  for (const [hz, length_s] of SOUNDS[name] ?? []) {
    const tone = audio.createOscillator(), volume = audio.createGain();
    tone.frequency.value = hz; volume.gain.value = 0.25;
    tone.connect(volume).connect(audio.destination);
    tone.start(at); tone.stop(at + length_s);
    at += length_s + 0.08;
  }
}

export function speak(text) {
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "en"; words.rate = 1.15;
  speechSynthesis.speak(words);
}
