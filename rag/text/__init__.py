"""What words, sentences and passages are, whoever says them."""
