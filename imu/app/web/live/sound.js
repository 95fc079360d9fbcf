// The voice of the browser, and three tones at the end of a rest.

let audio = null;

// Browsers let a page sound only once the person has done something on it.
export function unlockSound() {
  audio ||= new (window.AudioContext || window.webkitAudioContext)();
  audio.resume();
}

export function beep() {
  unlockSound();
  for (const [i, hz] of [660, 660, 880].entries()) {
    const tone = audio.createOscillator(), volume = audio.createGain(), at = audio.currentTime + 0.25 * i;
    tone.frequency.value = hz; volume.gain.value = 0.25;
    tone.connect(volume).connect(audio.destination);
    tone.start(at); tone.stop(at + 0.15);
  }
}

export function speak(text) {
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "en"; words.rate = 1.15;
  speechSynthesis.speak(words);
}
