const EN = {
  online: "Online",
  answering: "Writing an answer…",
  connecting: "Connecting…",
  greeting: "Hello! Ask me anything.",
  placeholder: "Write a message…",
  message: "Message",
  messages: "Messages",
  send: "Send",
  stop: "Stop the answer",
  close: "Close the chat",
  fresh: "New conversation",
  sending: "Sending…",
  waiting: "No connection. It will be sent as soon as there is one.",
  retry: "Try again",
  failed: "Not sent.",
  stopped: "Stopped",
  image: "Image",
  opens: "opens in a new tab",
  today: "Today",
  made: "Runs on Botyard",
  you: "You",
};

const RU: typeof EN = {
  online: "На связи",
  answering: "Пишет ответ…",
  connecting: "Подключение…",
  greeting: "Здравствуйте! Задайте мне вопрос.",
  placeholder: "Напишите сообщение…",
  message: "Сообщение",
  messages: "Сообщения",
  send: "Отправить",
  stop: "Остановить ответ",
  close: "Закрыть чат",
  fresh: "Новый разговор",
  sending: "Отправляется…",
  waiting: "Нет связи. Сообщение уйдёт, как только она появится.",
  retry: "Ещё раз",
  failed: "Не отправлено.",
  stopped: "Остановлено",
  image: "Картинка",
  opens: "откроется в новой вкладке",
  today: "Сегодня",
  made: "Работает на Botyard",
  you: "Вы",
};

export type Texts = typeof EN;

export function textsOf(language: string): Texts {
  return language === "ru" ? RU : EN;
}
