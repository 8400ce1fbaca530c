"""Understanding: language, brands, the classifier. Post in, Understood out."""
