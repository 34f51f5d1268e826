"""What the executor does when it is asked (`commands`), when a plan moved on (`plans`), and while a run runs (`runs`)."""
